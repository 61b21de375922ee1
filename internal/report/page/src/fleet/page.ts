// The page: composes the parts, and keeps the address.
import { append, h, type Child } from "../lib/dom";
import { tableKeys } from "../lib/keys";
import { Panel } from "../lib/panel";
import { readPlace, writePlace } from "../lib/place";
import { severity } from "../lib/shapes";
import { Table } from "../lib/table";
import { count, plain, utc, visible } from "../lib/text";
import { Counts } from "./counts";
import type { Fleet, Node } from "./data";
import { detail } from "./detail";
import { Filter } from "./filter";
import { Nodes, orders, type Order } from "./nodes";
import { outcomeMark, stateMark } from "./states";
import { renew, when } from "./when";

const alarm = "The hub signs nothing: ";

/** The parts of the page, after the first answer. */
export class Page {
  private readonly nodes = new Nodes();
  private order: Order = "state";
  private descending = false;
  /** Name of the node that is open, null if none is. */
  private current: string | null = null;
  private shown = "";
  private following = false; // the address is being read, and must not be written

  private readonly stopped = h("div", { class: "stopped", role: "alert" });
  private readonly asOf = h("p", { class: "as-of" });
  private readonly incomplete = h("p", { class: "incomplete", role: "status" });
  private readonly counts = new Counts((state) => this.only(state));
  private readonly filter = new Filter(this.nodes, () => {
    this.show();
    this.address(false);
  });
  private readonly empty = h("p", { class: "empty", hidden: true }, "No node passes the filter.");
  private readonly sorts = h("select", { name: "sort" });
  private readonly table: Table;
  /** What the columns of the table are sorted by. */
  private readonly columns: Order[];
  private readonly panel: Panel;
  private readonly beside = h("div", { class: "nodes" });

  constructor(main: HTMLElement) {
    this.panel = new Panel(() => {
      const held = this.current;
      this.current = null;
      this.beside.classList.remove("with-panel");
      this.table.focus();
      this.table.select(-1);
      if (held !== null) this.address(false);
    });
    const columns: { order: Order; name: string; cell: (n: Node) => Child }[] = [
      { order: "name", name: "name", cell: (n) => visible(n.name, 80) },
      { order: "state", name: "state", cell: (n) => stateMark(n.state) },
      { order: "epoch", name: "epoch", cell: (n) => h("span", {}, n.journal === "" ? "" : n.epoch) },
      { order: "system", name: "operating system", cell: (n) => visible(n.system, 80) },
      { order: "kernel", name: "kernel", cell: (n) => visible(n.kernel, 60) },
      { order: "boot", name: "last boot", cell: (n) => (n.boot ? when(n.boot.time, this.now, false) : "") },
      { order: "outcome", name: "outcome", cell: (n) => (n.boot ? outcomeMark(n.boot.outcome, n.boot.outcome === "failed" ? `failed, exit ${n.boot.exit}` : undefined) : "") },
      { order: "seen", name: "last seen", cell: (n) => when(n.seen, this.now, false) },
      {
        order: "flags", name: "flags", cell: (n) => n.flags.slice(0, 4).map((f) =>
          h("span", { class: "chip" }, severity(f.severity), h("span", {}, plain(f.code).slice(0, 40)))),
      },
    ];
    this.table = new Table({
      label: "Nodes",
      open: (n) => this.open(this.nodes.get(n).name, false),
      columns: columns.map(({ order, name, cell }) => ({ name, class: `c-${order}`, cell: (n) => cell(this.nodes.get(n)) })),
      sort: (k, descending) => this.sort(columns[k]!.order, descending),
    });
    this.columns = columns.map((c) => c.order);
    for (const { order, name } of columns) for (const [sign, way] of [["", "ascending"], ["-", "descending"]] as const) this.sorts.append(h("option", { value: sign + order }, `${name}, ${way}`));
    this.sorts.addEventListener("change", () => this.sort(this.sorts.value.replace("-", "") as Order, this.sorts.value.startsWith("-")));

    this.beside.append(h("div", { class: "nodes-list" }, this.table.element, this.empty), this.panel.element);
    main.replaceChildren(
      h("section", { "aria-labelledby": "states" }, this.stopped, this.incomplete, h("h2", { id: "states", tabindex: -1 }, "States"), this.asOf, this.counts.element),
      h("section", { "aria-labelledby": "nodes" }, h("h2", { id: "nodes", tabindex: -1 }, "Nodes"), this.filter.element,
        h("label", { class: "sorts" }, "sort by ", this.sorts), this.beside, keys()));
    // A link in the page keeps the filter, which a change of the address would not.
    document.addEventListener("click", (e) => {
      const link = e.target instanceof Element ? e.target.closest("a[href^='#']") : null;
      if (!link) return;
      e.preventDefault();
      const part = document.getElementById((link.getAttribute("href") ?? "").slice(1));
      part?.scrollIntoView({ block: "start" });
      part?.focus({ preventScroll: true });
    });
    addEventListener("hashchange", () => this.follow());
    addEventListener("popstate", () => this.follow());
  }

  /** The hub's time of the answer, in milliseconds. */
  private get now(): number {
    return Date.parse(this.nodes.fleet?.time ?? "");
  }

  /** Shows an answer of the hub. */
  update(fleet: Fleet): void {
    const first = this.nodes.fleet === null;
    this.nodes.update(fleet);
    // An alert that is written again is read aloud again.
    const stopped = plain(fleet.stopped).slice(0, 1000);
    if (this.stopped.textContent !== (stopped === "" ? "" : alarm + stopped)) {
      this.stopped.replaceChildren();
      if (stopped !== "") append(this.stopped, h("b", {}, alarm), stopped);
    }
    const incomplete = fleet.complete ? "" : "The hub is still reading its store: nodes and states are not complete yet.";
    if (this.incomplete.textContent !== incomplete) this.incomplete.textContent = incomplete;
    this.asOf.replaceChildren(`${count(fleet.nodes.length, "node")} and ${count(fleet.records, "record")}, as of `, h("time", { datetime: utc(this.now) }, utc(this.now)));
    this.counts.update(fleet.counts);
    this.filter.offer();
    if (first) {
      this.follow();
      return;
    }
    this.table.update(this.rows());
    this.refresh();
  }

  /** Reads the address. */
  private follow(): void {
    if (!this.nodes.fleet) return;
    const place = readPlace();
    this.following = true;
    this.filter.place = place;
    const sort = place.get("sort") ?? "state";
    this.descending = sort.startsWith("-");
    this.order = orders.find((o) => o === sort.replace("-", "")) ?? "state";
    const name = place.get("node") ?? null;
    if (name === null) this.current = null;
    this.show();
    if (name !== null) this.open(name, true);
    else this.panel.close();
    this.following = false;
  }

  /** Writes the address. With step, Back returns to the one before. */
  private address(step: boolean): void {
    if (this.following) return;
    const sort = (this.descending ? "-" : "") + this.order;
    writePlace(new Map([...this.filter.place, ["sort", sort === "state" ? "" : sort], ["node", this.current ?? ""]]), step);
  }

  private rows(): Uint32Array {
    this.counts.mark(this.filter.states);
    this.table.sorted(this.columns.indexOf(this.order), this.descending);
    this.sorts.value = (this.descending ? "-" : "") + this.order;
    const rows = this.nodes.sort(this.filter.rows(), this.order, this.descending);
    this.empty.hidden = rows.length > 0;
    return rows;
  }

  private show(): void {
    this.table.show(this.rows(), this.current === null ? -1 : this.nodes.find(this.current));
  }

  private sort(order: Order, descending: boolean): void {
    this.order = order;
    this.descending = descending;
    this.show();
    this.address(false);
  }

  /** Filters by one state, or no longer by it. */
  private only(state: string): void {
    this.filter.place = new Map(this.filter.states.includes(state) ? [] : [["state", state]]);
    this.show();
    this.address(false);
  }

  private open(name: string, focus: boolean): void {
    const step = this.current !== name;
    this.current = name;
    const n = this.nodes.find(name);
    this.table.select(n);
    this.beside.classList.add("with-panel");
    const { title, content } = this.detail(n);
    this.shown = this.text(n);
    this.panel.show(title, content, focus);
    this.address(step);
  }

  /** Shows again the node that is open, if it has changed. */
  private refresh(): void {
    if (this.current === null) return;
    const n = this.nodes.find(this.current);
    this.table.select(n, false);
    if (this.text(n) !== this.shown) {
      this.shown = this.text(n);
      const { title, content } = this.detail(n);
      this.panel.replace(title, content);
    } else renew(this.panel.element, this.now);
  }

  private text(n: number): string {
    return n < 0 ? "" : JSON.stringify(this.nodes.get(n));
  }

  private detail(n: number): ReturnType<typeof detail> {
    if (n >= 0) return detail(this.nodes.get(n), this.now);
    return { title: visible(this.current ?? "", 200), content: h("p", {}, "The hub names no such node. It may have been removed.") };
  }
}

function keys(): HTMLElement {
  return h("details", { class: "keys" }, h("summary", {}, "Keys"),
    h("div", {}, tableKeys("node"), h("p", {}, "The address of the page holds filter, order and node: a copy of it opens the same.")));
}
