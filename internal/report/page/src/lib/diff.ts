// Differences between lines, and lines that were added and removed, shown by sign
// as well as colour.
import { h, type Child } from "./dom";
import { visible } from "./text";

export interface DiffLine {
  op: "" | "+" | "-";
  text: string;
}

/** Returns the shortest difference between a few lines. */
export function diff(a: string[], b: string[]): DiffLine[] {
  // common[i][j] is the length of the longest common sequence of a[i:] and b[j:].
  const common = a.map(() => new Uint16Array(b.length + 1));
  common.push(new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ op: "", text: a[i]! });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && common[i + 1]![j]! >= common[i]![j + 1]!)) out.push({ op: "-", text: a[i++]! });
    else out.push({ op: "+", text: b[j++]! });
  }
  return out;
}

/** Returns one line of a difference. */
export function diffLine(line: DiffLine): HTMLElement {
  const text = visible(line.text);
  if (line.op === "+") return h("ins", {}, h("span", { class: "sign" }, "+ "), text);
  if (line.op === "-") return h("del", {}, h("span", { class: "sign" }, "- "), text);
  return h("span", { class: "same" }, h("span", { class: "sign" }, "  "), text);
}

/** Returns lines of a difference, one below the other. */
export function diffView(lines: DiffLine[]): Child {
  return h("div", { class: "diff" }, lines.map(diffLine));
}
