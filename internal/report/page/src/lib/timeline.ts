// A timeline in rows: a band of spans, and rows of marks. From far away marks
// become counts; from near, each is shown with a label. It knows nothing about
// what spans and marks stand for. Every picture has about as many nodes as fit
// beside each other, however many marks there are.
//
// Own gestures rather than d3-zoom: with its dependencies that is 53 KB, and keys
// and buttons would remain to be written.
import { button, eachFrame, h, on, svg, type Child } from "./dom";
import { icon, path, type Shape } from "./shapes";
import { ticks } from "./ticks";

export interface Span {
  from: number;
  to: number;
  /** Its first word is shown if there is no room for more. */
  label: string;
  class: string;
}

/** Marks of one kind, in the order of their times. */
export interface Row {
  name: string;
  shape: Shape;
  class: string;
  at: Float64Array;
  /** Draws counts as bars rather than numbers. */
  dense?: boolean;
  /** What is shown instead if at most so many of them are in sight, and fit. */
  near?: { at: Float64Array; most: number; label: (i: number) => string; class: (i: number) => string; open: (i: number) => void };
  describe: (i: number) => string;
  open: (i: number) => void;
  /** What the button with its name does. */
  press?: () => void;
}

export interface TimelineOptions {
  label: string;
  describedBy: string;
  spanName: string;
  spans: Span[];
  rows: Row[];
  /** Marks of these rows are visited by the keys n and p. */
  visit: Row[];
  describeSpan: (i: number) => string;
  /** The name of the button that opens a span, and what it does. */
  spanButton: (i: number) => string;
  openSpan: (i: number) => void;
  /** Says what is in sight. */
  summary: (from: number, to: number) => string;
  moved: (from: number, to: number, all: boolean) => void;
}

interface Drawn {
  x: number;
  row: Row;
  first: number;
  last: number;
  near: boolean;
}

const spanHeight = 34;
const rowHeight = 24; // no smaller target is easy to hit
const denseHeight = 64;
const axisHeight = 30;
const smallest = 8; // milliseconds in sight

const heightOf = (row: Row): number => (row.dense ? denseHeight : rowHeight);

/** Returns the index of the first element that is not less than t. */
function bisect(at: Float64Array, t: number): number {
  let lo = 0;
  let hi = at.length;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (at[mid]! < t) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

export class Timeline {
  readonly element: HTMLElement;
  private readonly picture: SVGSVGElement;
  private readonly readout = h("p", { class: "tl-readout" });
  private readonly span = button("", () => this.options.openSpan(this.middle()), { hidden: true });
  private readonly live = h("p", { class: "sr", role: "status" });
  private readonly lo: number;
  private readonly hi: number;
  private from: number;
  private to: number;
  private width = 800;
  private drawn: Drawn[] = [];
  private cursor: { row: Row; i: number } | null = null;
  /** All marks that keys visit, in order; made when first needed. */
  private stops: { at: number; row: Row; i: number }[] | null = null;
  private announcing: ReturnType<typeof setTimeout> | undefined;
  private readonly redraw = eachFrame(() => this.draw());

  constructor(private readonly options: TimelineOptions) {
    let lo = Infinity;
    let hi = -Infinity;
    for (const { at } of options.rows) {
      if (at.length === 0) continue;
      lo = Math.min(lo, at[0]!);
      hi = Math.max(hi, at[at.length - 1]!);
    }
    if (!(lo <= hi)) lo = hi = 0;
    const margin = Math.max((hi - lo) * 0.015, hi === lo ? 3_600_000 : 20);
    this.lo = this.from = lo - margin;
    this.hi = this.to = hi + margin;

    const height = spanHeight + options.rows.reduce((sum, r) => sum + heightOf(r), 0) + axisHeight;
    this.picture = svg("svg", { class: "tl-picture", height, width: "100%", "aria-hidden": "true", focusable: "false" });
    const stage = on(h("div", {
      class: "tl-stage", tabindex: 0, role: "application", "aria-roledescription": "timeline", "aria-label": options.label, "aria-describedby": options.describedBy,
    }), { keydown: (e) => this.key(e) });
    stage.append(this.picture);
    this.gestures(stage);
    const tools = h("div", { class: "tl-tools", role: "group", "aria-label": "Timeline" },
      button("−", () => this.zoom(2), { "aria-label": "Zoom out", title: "Zoom out (-)" }),
      button("+", () => this.zoom(0.5), { "aria-label": "Zoom in", title: "Zoom in (+)" }),
      button("←", () => this.pan(-0.5), { "aria-label": "Earlier", title: "Earlier (left arrow)" }),
      button("→", () => this.pan(0.5), { "aria-label": "Later", title: "Later (right arrow)" }),
      button("all", () => this.show(this.lo, this.hi), { "aria-label": "Show all time", title: "All (Home)" }),
      button("previous mark", () => this.visit(-1), { title: "Previous mark (p)" }),
      button("next mark", () => this.visit(1), { title: "Next mark (n)" }), this.span);
    this.element = h("div", { class: "tl" }, tools, h("div", { class: "tl-frame" }, this.gutter(), stage), this.readout, this.live);
    new ResizeObserver(() => this.resize(stage.clientWidth)).observe(stage);
  }

  /** Shows a window of time. */
  show(from: number, to: number): void {
    const size = Math.min(Math.max(to - from, smallest), this.hi - this.lo);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - size / 2, this.lo), this.hi - size);
    this.to = this.from + size;
    this.redraw();
    this.options.moved(this.from, this.to, this.isAll);
    // A movement is announced when it ends.
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => (this.live.textContent = this.options.summary(this.from, this.to)), 400);
  }

  get window(): [number, number] {
    return [this.from, this.to];
  }

  get isAll(): boolean {
    return this.to - this.from >= (this.hi - this.lo) * 0.999;
  }

  /** Draws now, for a picture of another width: print does not wait. */
  resize(width: number): void {
    if (width <= 0) return;
    this.width = width;
    this.draw();
  }

  private gutter(): HTMLElement {
    const line = (height: number, ...children: Child[]): HTMLElement => {
      const element = h("div", {}, children);
      element.style.height = `${height}px`;
      return element;
    };
    return h("div", { class: "tl-gutter" }, line(spanHeight, h("span", { class: "tl-name" }, this.options.spanName)),
      this.options.rows.map((row) => {
        const name: Child = [icon(row.shape, row.class), h("span", { class: "tl-count" }, row.at.length.toLocaleString("en")), " ", h("span", { class: "tl-word" }, row.name)];
        const press = row.press;
        return line(heightOf(row), press && row.at.length > 0 ? button(name, press, { class: "tl-name", title: `Show these in the table: ${row.name}` }) : h("span", { class: "tl-name" }, name));
      }));
  }

  private x(t: number): number {
    return ((t - this.from) / (this.to - this.from)) * this.width;
  }

  private t(x: number): number {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  private zoom(factor: number, at = (this.from + this.to) / 2): void {
    const size = Math.min(Math.max((this.to - this.from) * factor, smallest), this.hi - this.lo);
    const share = (at - this.from) / (this.to - this.from);
    this.show(at - share * size, at + (1 - share) * size);
  }

  private pan(share: number): void {
    const by = (this.to - this.from) * share;
    this.show(this.from + by, this.to + by);
  }

  /** Moves to the next mark, or the one before; at first to one in sight. */
  private visit(by: 1 | -1): void {
    this.stops ??= this.options.visit
      .flatMap((row) => Array.from(row.at, (at, i) => ({ at, row, i })))
      .sort((a, b) => a.at - b.at);
    const now = this.cursor;
    let to = this.stops.findIndex((s) => (now ? s.row === now.row && s.i === now.i : s.at >= this.from)) + (now ? by : 0);
    if (to < 0 && !now) to = this.stops.length - 1;
    const stop = this.stops[to];
    if (!stop) {
      this.say(by > 0 ? "No mark after this one." : "No mark before this one.");
      return;
    }
    this.cursor = stop;
    const half = (this.to - this.from) / 2;
    if (stop.at < this.from || stop.at > this.to) this.show(stop.at - half, stop.at + half);
    this.draw();
    this.say(stop.row.describe(stop.i));
  }

  private say(text: string): void {
    clearTimeout(this.announcing);
    this.readout.textContent = text;
    this.live.textContent = text;
  }

  private key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    switch (e.key) {
      case "ArrowLeft": this.pan(-0.25); break;
      case "ArrowRight": this.pan(0.25); break;
      case "+": case "=": this.zoom(0.5, this.focusTime()); break;
      case "-": this.zoom(2, this.focusTime()); break;
      case "Home": this.show(this.lo, this.hi); break;
      case "n": this.visit(1); break;
      case "p": this.visit(-1); break;
      case "Enter": this.cursor?.row.open(this.cursor.i); break;
      default: return;
    }
    e.preventDefault();
  }

  // focusTime is where keys zoom: at the visited mark if it is in sight.
  private focusTime(): number {
    const at = this.cursor?.row.at[this.cursor.i] ?? NaN;
    return at >= this.from && at <= this.to ? at : (this.from + this.to) / 2;
  }

  private gestures(stage: HTMLElement): void {
    const points = new Map<number, number>();
    let moved = 0;
    const place = (e: MouseEvent): [number, number] => {
      const box = stage.getBoundingClientRect();
      return [e.clientX - box.left, e.clientY - box.top];
    };
    on(stage, {
      // The wheel scrolls the page; with Ctrl, or by a pinch on a pad, it zooms.
      wheel: (e) => {
        const sideways = e.shiftKey ? e.deltaY : Math.abs(e.deltaX) > Math.abs(e.deltaY) ? e.deltaX : 0;
        if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(Math.min(Math.max(e.deltaY, -80), 80) / 160), this.t(place(e)[0]));
        else if (sideways !== 0) this.pan(sideways / this.width);
        else return;
        e.preventDefault();
      },
      dblclick: (e) => this.zoom(0.25, this.t(place(e)[0])),
      pointerdown: (e) => {
        if (e.button !== 0) return;
        points.set(e.pointerId, place(e)[0]);
        if (points.size === 1) moved = 0;
      },
      pointermove: (e) => {
        const [x, y] = place(e);
        const before = points.get(e.pointerId);
        if (before === undefined) {
          this.hover(x, y);
          return;
        }
        moved += Math.abs(x - before);
        if (moved < 4 && points.size === 1) return;
        if (!stage.hasPointerCapture(e.pointerId)) stage.setPointerCapture(e.pointerId);
        const other = [...points].find(([id]) => id !== e.pointerId)?.[1];
        points.set(e.pointerId, x);
        if (other === undefined) this.pan((before - x) / this.width);
        else {
          const spread = Math.max(Math.abs(before - other), 8) / Math.max(Math.abs(x - other), 8);
          this.zoom(spread, this.t((x + other) / 2));
        }
      },
      pointerup: (e) => {
        if (!points.delete(e.pointerId) || moved >= 4) return;
        this.press(...place(e));
      },
      pointercancel: (e) => void points.delete(e.pointerId),
      pointerleave: () => this.tell(),
    });
  }

  private rowAt(y: number): Row | null {
    let top = spanHeight;
    for (const row of this.options.rows) {
      top += heightOf(row);
      if (y >= spanHeight && y < top) return row;
    }
    return null;
  }

  private nearest(x: number, y: number): Drawn | null {
    const row = this.rowAt(y);
    let best: Drawn | null = null;
    for (const d of this.drawn) {
      if (d.row === row && Math.abs(d.x - x) < Math.abs((best?.x ?? x + 14) - x)) best = d;
    }
    return best;
  }

  private spanAt(x: number, y: number): number {
    const t = this.t(x);
    return y >= spanHeight ? -1 : this.options.spans.findIndex((s) => t >= s.from && t < s.to);
  }

  // middle is the span in the middle of the window, or -1.
  private middle(): number {
    return this.spanAt(this.width / 2, 0);
  }

  private hover(x: number, y: number): void {
    const mark = this.nearest(x, y);
    const span = this.spanAt(x, y);
    if (mark) {
      const more = mark.last - mark.first;
      this.readout.textContent = mark.near ? (mark.row.near?.label(mark.first) ?? "") : more > 0 ? `${more + 1} ${mark.row.name}: click to look closer` : mark.row.describe(mark.first);
    } else if (span >= 0) this.readout.textContent = this.options.describeSpan(span);
    else this.tell();
    this.picture.classList.toggle("hit", mark !== null || span >= 0);
  }

  private press(x: number, y: number): void {
    const mark = this.nearest(x, y);
    const span = this.options.spans[this.spanAt(x, y)];
    if (mark) {
      const { row, first, last } = mark;
      if (mark.near) row.near?.open(first);
      else {
        this.cursor = { row, i: first };
        const [a, b] = [row.at[first]!, row.at[last]!];
        if (b - a > (this.to - this.from) / 1e6 && b - a >= smallest) this.show(a - (b - a) * 0.2, b + (b - a) * 0.2);
        else row.open(first);
      }
    } else if (span) {
      const margin = (span.to - span.from) * 0.02;
      this.show(span.from - margin, span.to + margin);
    }
    this.redraw();
  }

  private tell(): void {
    this.readout.textContent = this.options.summary(this.from, this.to);
  }

  private draw(): void {
    this.drawn = [];
    const out: SVGElement[] = [];
    let top = spanHeight;
    for (const tick of this.axis()) out.push(tick);
    out.push(...this.spans());
    for (const row of this.options.rows) {
      const height = heightOf(row);
      out.push(svg("path", { class: "tl-rule", d: `M0 ${top + height - 0.5}H${this.width}` }));
      out.push(...this.marks(row, top, height));
      top += height;
    }
    if (this.cursor) {
      const at = this.cursor.row.at[this.cursor.i]!;
      if (at >= this.from && at <= this.to) out.push(svg("path", { class: "tl-cursor", d: `M${this.x(at)} 0V${top}` }));
    }
    if (!this.isAll) {
      // Where the window is in all time.
      const [all, y] = [this.width / (this.hi - this.lo), this.picture.height.baseVal.value - 3];
      const left = (this.from - this.lo) * all;
      out.push(svg("path", { class: "tl-rule", d: `M0 ${y}H${this.width}` }), svg("path", { class: "tl-window", d: `M${left.toFixed(1)} ${y}h${Math.max((this.to - this.from) * all, 4).toFixed(1)}` }));
    }
    this.picture.replaceChildren(...out);
    const middle = this.middle();
    this.span.hidden = this.isAll || middle < 0;
    if (middle >= 0) this.span.textContent = this.options.spanButton(middle);
    this.tell();
  }

  private axis(): SVGElement[] {
    const bottom = this.picture.height.baseVal.value - axisHeight;
    const out: SVGElement[] = [];
    let d = "";
    let free = 0;
    for (const { at, label } of ticks(this.from, this.to, Math.max(this.width / 90, 2))) {
      const x = this.x(at);
      d += `M${x.toFixed(1)} 0V${bottom + 5}`;
      const half = label.length * 3.6;
      if (x - half < free || x + half > this.width) continue;
      free = x + half + 8;
      out.push(svg("text", { class: "tl-tick", x: x.toFixed(1), y: bottom + 18, "text-anchor": "middle" }, label));
    }
    out.unshift(svg("path", { class: "tl-grid", d }));
    return out;
  }

  private spans(): SVGElement[] {
    const out: SVGElement[] = [];
    let free = -1;
    for (const s of this.options.spans) {
      if (s.to < this.from || s.from > this.to) continue;
      const left = Math.max(this.x(s.from), 0);
      const right = Math.min(this.x(s.to), this.width);
      // Spans narrower than a pixel are drawn once a pixel.
      if (right - left < 1 && Math.floor(left) === free) continue;
      free = Math.floor(left);
      out.push(svg("rect", { class: `tl-span ${s.class}`, x: left.toFixed(1), y: 3, width: Math.max(right - left, 1).toFixed(1), height: spanHeight - 8 }));
      const room = Math.floor((right - left - 8) / 6.7);
      const text = s.label.length <= room ? s.label : room >= 12 ? s.label.slice(0, room - 1) + "…" : (s.label.split(" ")[0] ?? "");
      if (text.length > 0 && text.length <= room + 0.5) out.push(svg("text", { class: "tl-label", x: (left + 5).toFixed(1), y: spanHeight / 2 + 3 }, text));
    }
    return out;
  }

  private marks(row: Row, top: number, height: number): SVGElement[] {
    const near = row.near;
    if (near) {
      const first = bisect(near.at, this.from);
      const last = bisect(near.at, this.to);
      if (last > first && last - first <= Math.min(near.most, this.width / 32)) return this.labelled(row, near, first, last, top);
    }
    const first = bisect(row.at, this.from);
    const last = bisect(row.at, this.to);
    if (row.dense && last - first > this.width / 10) return this.bars(row, first, last, top, height);
    let d = "";
    const out: SVGElement[] = [];
    for (let i = first; i < last;) {
      const x = this.x(row.at[i]!);
      let end = i;
      // A number needs room before the next mark.
      while (end + 1 < last && this.x(row.at[end + 1]!) - x < (row.dense ? 3 : end > i ? 26 : 14)) end++;
      d += path(row.shape, x, top + height / 2);
      if (end > i && !row.dense) out.push(svg("text", { class: "tl-more", x: (x + 7).toFixed(1), y: top + height / 2 + 4 }, String(end - i + 1)));
      this.drawn.push({ x, row, first: i, last: end, near: false });
      i = end + 1;
    }
    out.unshift(svg("path", { class: `mark ${row.class}`, d, "fill-rule": "evenodd" }));
    return out;
  }

  private bars(row: Row, first: number, last: number, top: number, height: number): SVGElement[] {
    const step = 6;
    const counts = new Uint32Array(Math.ceil(this.width / step) + 1);
    const firsts = new Int32Array(counts.length).fill(-1);
    for (let i = first; i < last; i++) {
      const slot = Math.floor(this.x(row.at[i]!) / step);
      if (firsts[slot] === -1) firsts[slot] = i;
      counts[slot]!++;
    }
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    let d = "";
    counts.forEach((n, slot) => {
      if (n === 0) return;
      const size = Math.max((n / most) * (height - 14), 2);
      d += `M${slot * step + 1} ${top + height - 3}h${step - 2}v-${size.toFixed(1)}h${2 - step}z`;
      this.drawn.push({ x: slot * step + step / 2, row, first: firsts[slot]!, last: firsts[slot]! + n - 1, near: false });
    });
    return [svg("path", { class: `mark ${row.class}`, d }), svg("text", { class: "tl-scale", x: this.width - 4, y: top + 10, "text-anchor": "end" }, `highest bar: ${most.toLocaleString("en")}`)];
  }

  private labelled(row: Row, near: NonNullable<Row["near"]>, first: number, last: number, top: number): SVGElement[] {
    const out: SVGElement[] = [];
    const free = [0, 0, 0, 0];
    for (let i = first; i < last; i++) {
      const x = this.x(near.at[i]!);
      out.push(svg("path", { class: `mark ${near.class(i)}`, d: path("square", Math.min(Math.max(x, 4), this.width - 4), top + 7) }));
      this.drawn.push({ x, row, first: i, last: i, near: true });
      const text = near.label(i);
      const width = text.length * 6.4;
      const left = Math.min(x - 4, this.width - width);
      const line = free.findIndex((end) => left >= end);
      if (line < 0 || left < 0) continue;
      free[line] = left + width + 10;
      out.push(svg("text", { class: "tl-near", x: left.toFixed(1), y: top + 23 + line * 12 }, text));
    }
    return out;
  }
}

/** Returns how many of the times are between two. */
export const inSight = (at: Float64Array, from: number, to: number): number => bisect(at, to) - bisect(at, from);
