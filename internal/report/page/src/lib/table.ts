// A table of very many rows of one height: only the rows in sight exist. It knows
// nothing about what the rows hold.
//
// Own code rather than a library: rows of one height need a division, not the
// measuring of @tanstack/virtual-core (27 KB).
import { append, button, eachFrame, h, on, type Child } from "./dom";

export interface Column {
  name: string;
  /** Class of its cells. */
  class: string;
  cell: (row: number) => Child;
}

export interface TableOptions {
  label: string;
  columns: Column[];
  /** Opens the item of a row. */
  open: (row: number) => void;
  rowClass?: (row: number) => string;
  /** Sorts by a column, if the columns are to be sorted. */
  sort?: (column: number, descending: boolean) => void;
}

// Browsers draw no element higher than about 17 to 33 million pixels.
const tallest = 12_000_000;

export class Table {
  readonly element: HTMLElement;
  private readonly body = h("div", { class: "vt-body", role: "rowgroup" });
  private readonly space = h("div", { class: "vt-space", role: "presentation" });
  private readonly heads: HTMLElement[] = [];
  private readonly shown = new Map<number, HTMLElement>();
  private rows: ArrayLike<number> = [];
  private height = 30;
  private active = 0;
  private selected = -1;

  constructor(private readonly options: TableOptions) {
    const head = h("div", { class: "vt-row vt-head", role: "row", "aria-rowindex": 1 });
    options.columns.forEach((c, k) => {
      const { sort } = options;
      const name = sort ? button(c.name, () => sort(k, this.heads[k]!.getAttribute("aria-sort") === "ascending"), { class: "vt-sort" }) : c.name;
      this.heads.push(h("span", { class: c.class, role: "columnheader", "aria-colindex": k + 1 }, name));
    });
    head.append(...this.heads);
    this.body.append(this.space);
    this.element = h("div", { class: "vt", role: "grid", "aria-label": options.label, "aria-colcount": options.columns.length },
      h("div", { role: "rowgroup" }, head), this.body);
    const draw = eachFrame(() => this.draw());
    this.body.addEventListener("scroll", draw, { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.body);
    on(this.body, {
      keydown: (e) => this.key(e),
      click: (e) => {
        const i = this.indexOf(e.target);
        if (i < 0) return;
        this.active = i;
        this.draw();
        this.options.open(this.rows[i]!);
      },
      focusin: (e) => {
        const i = this.indexOf(e.target);
        if (i >= 0) this.active = i;
      },
    });
  }

  /** Shows these rows; select is the one that is marked, or -1. */
  show(rows: ArrayLike<number>, select: number): void {
    this.rows = rows;
    this.selected = select;
    this.active = Math.max(this.find(select), 0);
    this.clear();
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.body.scrollTop = 0;
    this.measure();
  }

  /** Shows these rows instead: scroll, focus and the marked row stay. */
  update(rows: ArrayLike<number>): void {
    const held = this.active < this.rows.length ? this.rows[this.active]! : -1;
    const focused = this.body.contains(document.activeElement);
    const at = this.active;
    const element = this.shown.get(at);
    this.rows = rows;
    const i = this.find(held);
    this.active = Math.max(i >= 0 ? i : Math.min(at, rows.length - 1), 0);
    // The element of the active row is filled again: removed, it would lose the focus.
    if (i >= 0 && element) this.shown.delete(at);
    this.clear();
    if (i >= 0 && element) {
      this.fill(element, i);
      this.shown.set(i, element);
    }
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.measure();
    if (focused && !this.body.contains(document.activeElement)) this.focus();
  }

  /** Marks the column by which the rows are sorted. */
  sorted(column: number, descending: boolean): void {
    this.heads.forEach((head, k) => {
      if (k === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  /** Marks a row, and with reveal brings it into sight. Reports whether the table has it. */
  select(row: number, reveal = true): boolean {
    this.selected = row;
    const i = this.find(row);
    if (i >= 0 && reveal) {
      this.active = i;
      this.reveal(i, Math.max(Math.floor(this.body.clientHeight / this.height / 2) - 1, 0));
    }
    for (const [at, element] of this.shown) this.mark(element, at);
    this.draw();
    return i >= 0;
  }

  /** Moves the focus to the active row. */
  focus(): void {
    this.draw();
    this.shown.get(this.active)?.focus({ preventScroll: true });
  }

  private find(row: number): number {
    return row < 0 ? -1 : Array.prototype.indexOf.call(this.rows, row);
  }

  private clear(): void {
    for (const element of this.shown.values()) element.remove();
    this.shown.clear();
  }

  private measure(): void {
    const height = parseFloat(getComputedStyle(this.element).getPropertyValue("--row")) || 30;
    if (height !== this.height) this.clear();
    this.height = height;
    this.space.style.height = `${Math.min(this.rows.length * height, tallest)}px`;
    this.draw();
  }

  // stretch is how many pixels of all rows one pixel of scrolling moves; 1
  // unless there are more rows than a browser can draw.
  private stretch(): number {
    const view = this.body.clientHeight;
    const all = this.rows.length * this.height;
    return all <= tallest ? 1 : (all - view) / (tallest - view);
  }

  // reveal scrolls as little as needed, or to so many rows around one out of sight.
  private reveal(i: number, around = 0): void {
    const view = this.body.clientHeight;
    const stretch = this.stretch();
    const top = this.body.scrollTop * stretch;
    const row = i * this.height;
    const more = around * this.height;
    if (row < top) this.body.scrollTop = Math.floor((row - more) / stretch);
    else if (row + this.height > top + view) this.body.scrollTop = Math.ceil((row + this.height + more - view) / stretch);
  }

  private draw(): void {
    const scroll = this.body.scrollTop;
    const top = scroll * this.stretch();
    const first = Math.max(Math.floor(top / this.height) - 4, 0);
    const last = Math.min(Math.ceil((top + this.body.clientHeight) / this.height) + 4, this.rows.length);
    const held = document.activeElement;
    for (const [i, element] of this.shown) {
      // A row with the focus stays, so that the focus is not lost.
      if ((i < first || i >= last) && element !== held) {
        element.remove();
        this.shown.delete(i);
      }
    }
    for (let i = first; i < last; i++) if (!this.shown.has(i)) this.shown.set(i, this.make(i));
    if (this.rows.length > 0 && !this.shown.has(this.active)) {
      if (!this.body.contains(held)) this.active = Math.min(Math.max(Math.ceil(top / this.height), first), last - 1);
      if (!this.shown.has(this.active)) this.shown.set(this.active, this.make(this.active));
    }
    // In the order of the document, so that a screen reader reads them in order.
    const order = [...this.shown.keys()].sort((a, b) => a - b);
    let after: Element | null = null;
    for (const i of order) {
      const element = this.shown.get(i)!;
      element.style.transform = `translateY(${i * this.height - top + scroll}px)`;
      element.tabIndex = i === this.active ? 0 : -1;
      const next: Element | null = after ? after.nextElementSibling : this.space.firstElementChild;
      if (next !== element && element !== held) this.space.insertBefore(element, next);
      after = element;
    }
  }

  private make(i: number): HTMLElement {
    const element = h("div", { role: "row" });
    this.fill(element, i);
    return element;
  }

  private fill(element: HTMLElement, i: number): void {
    const row = this.rows[i]!;
    element.setAttribute("aria-rowindex", String(i + 2));
    element.dataset["i"] = String(i);
    element.replaceChildren();
    // A narrow window hides columns: each says which one it is.
    this.options.columns.forEach((c, k) => {
      const cell = h("span", { class: c.class, role: "gridcell", "aria-colindex": k + 1 });
      append(cell, c.cell(row));
      element.append(cell);
    });
    this.mark(element, i);
  }

  private mark(element: HTMLElement, i: number): void {
    const row = this.rows[i]!;
    element.className = `vt-row ${this.options.rowClass?.(row) ?? ""}`;
    element.setAttribute("aria-selected", String(row === this.selected));
  }

  private indexOf(target: EventTarget | null): number {
    const row = target instanceof Element ? target.closest<HTMLElement>("[data-i]") : null;
    return row ? Number(row.dataset["i"]) : -1;
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || this.rows.length === 0) return;
    const page = Math.max(Math.floor(this.body.clientHeight / this.height) - 1, 1);
    const last = this.rows.length - 1;
    const to: Record<string, number> = {
      ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page, PageUp: this.active - page, Home: 0, End: last,
    };
    if (e.key === "Enter" || e.key === " ") this.options.open(this.rows[this.active]!);
    else if (e.key in to) {
      const i = Math.min(Math.max(to[e.key]!, 0), last);
      this.reveal(i);
      this.active = i;
      if (!this.shown.has(i)) this.shown.set(i, this.make(i));
      this.draw();
      this.shown.get(i)!.focus({ preventScroll: true });
      this.draw();
    } else return;
    e.preventDefault();
  }
}
