// Text that an attacker may have written, made visible: characters that nobody
// sees, or that change how others are shown, appear as escapes.
import { h, type Child } from "./dom";

// Controls, formats (bidirectional marks among them), separators other than the
// space, unassigned and private characters, and what browsers leave out; of marks
// that pile up on one letter, those after the second.
const hidden = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}|(?<=\p{M}{2})\p{M}/gu;

const escape = (c: string): string => {
  if (c === "\n") return "\\n";
  if (c === "\t") return "\\t";
  const code = c.codePointAt(0)!;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
};

/** Returns s with escapes, as one string, for attributes and plain text. */
export const plain = (s: string): string => s.replace(hidden, escape);

/** Returns s with marked escapes, of at most limit characters. With lines, line feeds and tabs stay. */
export function visible(s: string, limit = 2000, lines = false): HTMLElement {
  const cut = s.length > limit ? s.slice(0, limit) : s;
  const out: Child[] = [];
  let from = 0;
  for (const m of cut.matchAll(hidden)) {
    if (lines && (m[0] === "\n" || m[0] === "\t")) continue;
    out.push(cut.slice(from, m.index), h("span", { class: "escape" }, escape(m[0])));
    from = m.index + m[0].length;
  }
  out.push(cut.slice(from));
  if (cut !== s) out.push(h("span", { class: "escape" }, `… ${count(s.length - limit, "more character")}`));
  return h("bdi", { dir: "ltr" }, out);
}

/** Returns a number and what it counts: "1 record", "2,000 records". */
export const count = (n: number, what: string): string => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

/** Returns a time in UTC, to the second as the tool prints it, or to the millisecond. */
export function utc(ms: number, millis = false): string {
  if (!(Math.abs(ms) <= 8.64e15)) return "no time";
  const iso = new Date(ms).toISOString();
  return millis ? iso : iso.slice(0, -5) + "Z";
}

const units: [string, number][] = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** Returns how long before now a time is, in one unit: "3 h ago". */
export function ago(ms: number, now: number): string {
  const s = Math.round(Math.abs(now - ms) / 1000);
  if (Number.isNaN(s)) return "no time";
  if (s === 0) return "now";
  const [unit, size] = units.find(([, size]) => s >= size)!;
  const text = `${Math.floor(s / size).toLocaleString("en")} ${unit}`;
  return ms > now ? `in ${text}` : `${text} ago`;
}

/** Returns a button that copies text. what names it for those who do not see it. */
export function copier(text: string, what: string): HTMLElement {
  const said = h("span", { role: "status", class: "said" });
  const press = h("button", { type: "button", class: "copy", "aria-label": `Copy ${what}` }, "copy");
  press.addEventListener("click", () => {
    const done = (): void => {
      said.textContent = "copied";
      setTimeout(() => (said.textContent = ""), 2000);
    };
    // A page opened from a file may lack the clipboard: then the text is selected.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    void (clipboard ? clipboard.writeText(text) : Promise.reject(new Error("no clipboard"))).then(done, () => {
      const shown = press.parentElement?.querySelector("code, pre");
      if (shown) getSelection()?.selectAllChildren(shown);
      said.textContent = "selected: press Ctrl+C";
    });
  });
  return h("span", { class: "copier" }, press, said);
}
