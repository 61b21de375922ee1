// Help about keys.
import { h } from "./dom";

/** Returns keys, and what each does. */
export function keyList(rows: [keys: string[], what: string][]): HTMLElement {
  return h("dl", {}, rows.map(([keys, what]) => h("div", {}, h("dt", {}, keys.map((k, i) => [i > 0 ? " " : null, h("kbd", {}, k)])), h("dd", {}, what))));
}

/** Returns the keys of a table. what is one of its rows. */
export function tableKeys(what: string): HTMLElement {
  return keyList([[["↑", "↓"], `next, previous ${what}`], [["Page Up", "Page Down"], "a page"], [["Home", "End"], `first, last ${what}`], [["Enter"], `open the ${what}`], [["Esc"], "close it"]]);
}
