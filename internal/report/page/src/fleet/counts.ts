// The nodes by state, the worst first. Each is a button that filters by the state.
import { button, h } from "../lib/dom";
import { icon } from "../lib/shapes";
import { stateOf, states, words } from "./states";

export class Counts {
  readonly element = h("ul", { class: "counts" });
  private readonly buttons = new Map<string, HTMLButtonElement>();

  constructor(private readonly press: (state: string) => void) {
    for (const state of states.keys()) this.make(state);
  }

  update(counts: Record<string, number>): void {
    for (const state of Object.keys(counts).slice(0, 50)) if (!this.buttons.has(state)) this.make(state);
    for (const [state, b] of this.buttons) {
      const n = counts[state] ?? 0;
      b.classList.toggle("zero", n === 0);
      b.querySelector("b")!.textContent = n.toLocaleString("en");
    }
  }

  /** Marks the states by which the table is filtered. */
  mark(chosen: string[]): void {
    for (const [state, b] of this.buttons) b.setAttribute("aria-pressed", String(chosen.includes(state)));
  }

  private make(state: string): void {
    const s = stateOf(state);
    const b = button([icon(s.shape, s.class), h("span", {}, words(state)), h("b", {}, "0")], () => this.press(state), { "aria-pressed": "false", title: s.meaning });
    this.buttons.set(state, b);
    this.element.append(h("li", {}, b));
  }
}
