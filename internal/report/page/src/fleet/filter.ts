// What the table shows: the parts of the filter, and the nodes that pass all of
// them.
import type { Choice } from "../lib/facet";
import { FilterForm } from "../lib/filter";
import type { Place } from "../lib/place";
import { plain } from "../lib/text";
import type { Node } from "./data";
import type { Nodes } from "./nodes";
import { states, words } from "./states";

/** A menu has so many choices; the search finds the others. */
const most = 60;

/** The value of a node that has none. */
const none = "(none)";

const short = (value: string): string => plain(value).slice(0, 80);

const menus: Record<string, { of: (n: Node) => string[]; label: (value: string) => string }> = {
  state: { of: (n) => [n.state], label: words },
  system: { of: (n) => [n.system || none], label: short },
  kernel: { of: (n) => [n.kernel || none], label: short },
  outcome: { of: (n) => [n.boot?.outcome ?? none], label: words },
  flag: { of: (n) => n.flags.map((f) => f.code), label: short },
};

export class Filter {
  private readonly form: FilterForm;

  constructor(private readonly nodes: Nodes, changed: () => void) {
    this.form = new FilterForm({
      label: "Nodes",
      search: { label: "Search name, journal, system, kernel and reason", hint: "search name, journal, system, kernel, reason" },
      menus: Object.fromEntries(Object.keys(menus).map((name) => [name, []])),
      any: true,
      changed,
    });
  }

  get element(): HTMLElement {
    return this.form.element;
  }

  get place(): Place {
    return this.form.place;
  }

  set place(place: Place) {
    this.form.place = place;
    this.offer();
  }

  /** The states that are chosen. */
  get states(): string[] {
    return this.form.chosen("state");
  }

  /** Offers in the menus what most nodes have, and what is chosen. */
  offer(): void {
    for (const [name, { of, label }] of Object.entries(menus)) {
      const counts = new Map<string, number>(name === "state" ? [...states.keys()].map((s) => [s, 0]) : []);
      for (const n of this.nodes.all) for (const value of of(this.nodes.get(n))) counts.set(value, (counts.get(value) ?? 0) + 1);
      let all = [...counts];
      const chosen = new Set(this.form.chosen(name));
      if (all.length > most) all = all.sort((a, b) => b[1] - a[1]).filter(([value], i) => i < most || chosen.has(value));
      const choices = all.map(([value, count]): Choice => ({ value, label: label(value), count }));
      if (name !== "state") choices.sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));
      this.form.offer(name, choices);
    }
  }

  /** Returns the nodes that pass, and says how many. */
  rows(): Uint32Array<ArrayBuffer> {
    const { nodes, form } = this;
    const chosen = Object.entries(menus).map(([name, { of }]) => ({ values: new Set(form.chosen(name)), of })).filter(({ values }) => values.size > 0);
    const wanted = form.text("q").toLowerCase().split(/\s+/).filter((word) => word !== "");
    const rows = nodes.all.filter((n) => {
      const node = nodes.get(n);
      return chosen.every(({ values, of }) => of(node).some((value) => values.has(value))) && wanted.every((word) => nodes.text(n).includes(word));
    });
    const all = nodes.all.length.toLocaleString("en");
    form.say(rows.length === nodes.all.length ? `all ${all} nodes` : `${rows.length.toLocaleString("en")} of ${all} nodes`);
    return rows;
  }
}
