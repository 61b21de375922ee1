// The nodes as the table needs them: each has a number that stays when the hub is
// asked again, and a key for each order.
import type { Fleet, Node } from "./data";
import { rank } from "./states";

export type Order = "name" | "state" | "epoch" | "system" | "kernel" | "boot" | "outcome" | "seen" | "flags";
export const orders: readonly Order[] = ["name", "state", "epoch", "system", "kernel", "boot", "outcome", "seen", "flags"];

const collator = new Intl.Collator("en", { numeric: true });

/** Returns the ranks of texts in their order; NaN for an empty one. */
function ranks(texts: string[]): Float64Array {
  const distinct = [...new Set(texts)].sort((a, b) => collator.compare(a, b) || (a < b ? -1 : 1));
  const at = new Map(distinct.map((text, i) => [text, i]));
  return Float64Array.from(texts, (text) => (text === "" ? NaN : at.get(text)!));
}

const outcomes = ["failed", "unfinished", "passed"];
const moment = (time: string | null | undefined): number => (time ? Date.parse(time) : NaN);

export class Nodes {
  fleet: Fleet | null = null;
  /** The numbers of all nodes. */
  all = new Uint32Array();
  private readonly list: Node[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly present = new Set<number>();
  private readonly keys = new Map<Order, Float64Array>();
  private readonly texts = new Map<number, string>();

  update(fleet: Fleet): void {
    this.fleet = fleet;
    this.present.clear();
    this.keys.clear();
    this.texts.clear();
    this.all = Uint32Array.from(fleet.nodes, (node) => {
      let n = this.numbers.get(node.name);
      if (n === undefined) {
        n = this.list.length;
        this.numbers.set(node.name, n);
      }
      this.list[n] = node;
      this.present.add(n);
      return n;
    });
  }

  get(n: number): Node {
    return this.list[n]!;
  }

  /** Returns the number of a node, -1 if the hub does not name it. */
  find(name: string): number {
    const n = this.numbers.get(name) ?? -1;
    return this.present.has(n) ? n : -1;
  }

  /** Returns what a search looks at, in lower case. */
  text(n: number): string {
    let text = this.texts.get(n);
    if (text === undefined) {
      const { name, journal, others, system, kernel, states, reasons, boot, flags } = this.get(n);
      text = [name, journal, ...others, system, kernel, ...states.map((s) => s.replaceAll("_", " ")), ...reasons, boot?.stage, boot?.reason, ...flags.map((f) => f.code)].join("\n").toLowerCase();
      this.texts.set(n, text);
    }
    return text;
  }

  /** Sorts nodes. Those without a value come last, and equal ones in the order of their names. */
  sort(rows: Uint32Array, order: Order, descending: boolean): Uint32Array {
    const key = this.key(order);
    const name = this.key("name");
    const sign = descending ? -1 : 1;
    return rows.sort((a, b) => {
      const [x, y] = [key[a]!, key[b]!];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || name[a]! - name[b]!;
      return sign * (x - y) || name[a]! - name[b]!;
    });
  }

  private key(order: Order): Float64Array {
    let key = this.keys.get(order);
    if (!key) this.keys.set(order, (key = this.made(order)));
    return key;
  }

  private made(order: Order): Float64Array {
    const number = (of: (n: Node) => number): Float64Array => Float64Array.from(this.list, of);
    const text = (of: (n: Node) => string): Float64Array => ranks(this.list.map(of));
    switch (order) {
      case "name": return text((n) => n.name);
      case "state": return number((n) => rank(n.state));
      case "epoch": return number((n) => (n.journal === "" ? NaN : n.epoch));
      case "system": return text((n) => n.system);
      case "kernel": return text((n) => n.kernel);
      case "boot": return number((n) => moment(n.boot?.time));
      case "outcome": return number((n) => (n.boot ? outcomes.indexOf(n.boot.outcome) : NaN));
      case "seen": return number((n) => moment(n.seen));
      case "flags": return number((n) => n.flags.reduce((sum, f) => sum + (f.severity === "warning" ? 1000 : 1), 0));
    }
  }
}
