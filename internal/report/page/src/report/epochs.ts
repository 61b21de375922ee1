// Epochs: each a line with the facts that the timeline shows, and, opened, why it
// began, what changed, and its evidence.
import type { Epoch, Report, Row } from "./data";
import { append, button, h, type Child } from "../lib/dom";
import { diffLine } from "../lib/diff";
import { severity } from "../lib/shapes";
import { copier, count, utc, visible } from "../lib/text";

export interface EpochActions {
  /** An epoch was opened; null: the one that was is closed. */
  explained: (epoch: number | null) => void;
  records: (epoch: number) => void;
  timeline: (index: number) => void;
}

/** So many are made at a time. */
const page = 50;

export class Epochs {
  readonly element: HTMLElement;
  private readonly list = h("div", { class: "epochs" });
  private readonly more: HTMLButtonElement;
  private readonly cards: HTMLDetailsElement[] = [];
  private opened: HTMLDetailsElement[] = [];

  constructor(private readonly report: Report, private readonly act: EpochActions) {
    this.more = button("", () => this.make(this.cards.length + page), { class: "more" });
    this.element = h("section", { "aria-labelledby": "epochs" }, h("h2", { id: "epochs", tabindex: -1 }, "Epochs"),
      h("p", { class: "hint" }, "Each replacement of the operating system is one epoch. Open one for the reason, what changed, and its evidence."), this.list, this.more);
    this.make(page);
  }

  /** Opens an epoch, and moves the focus to it. */
  show(index: number): void {
    if (index < 0 || index >= this.report.epochs.length) return;
    this.make(index + 1);
    const card = this.cards[index]!;
    this.fill(card);
    card.open = true;
    this.act.explained(this.report.epochs[index]!.epoch);
    card.scrollIntoView({ block: "start" });
    card.querySelector("summary")?.focus({ preventScroll: true });
  }

  /** Opens all of them, as print needs, or closes those again. */
  all(open: boolean): void {
    if (!open) {
      for (const card of this.opened) card.open = false;
      return;
    }
    this.make(Infinity);
    this.opened = this.cards.filter((card) => !card.open);
    for (const card of this.opened) {
      this.fill(card);
      card.open = true;
    }
  }

  private make(upTo: number): void {
    const { epochs } = this.report;
    for (let i = this.cards.length; i < Math.min(upTo, epochs.length); i++) {
      const card = this.card(epochs[i]!, i);
      this.cards.push(card);
      this.list.append(card);
    }
    const left = epochs.length - this.cards.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `show ${Math.min(left, page)} more of ${left.toLocaleString("en")}`;
  }

  private card(e: Epoch, i: number): HTMLDetailsElement {
    const flags = e.flags.map((f) => h("span", { class: "chip" }, severity(f.severity), f.code, f.count > 1 ? ` × ${f.count}` : null));
    const card = h("details", { class: "epoch", "data-epoch": e.epoch },
      h("summary", {},
        h("h3", {}, h("span", { class: "number" }, h("span", { class: "sr" }, "Epoch "), e.epoch), h("span", { class: "sr" }, ": "), visible(e.why)),
        h("span", { class: "began" }, moment(e.began.time)),
        h("span", { class: "system" }, visible(e.system || "no system named", 80), h("small", {}, visible(e.kernel, 80))),
        h("span", { class: "boots" }, count(e.boots, "boot"), h("small", {}, `${e.clean_boots.toLocaleString("en")} clean`)),
        h("span", { class: "chips" }, flags)));
    card.dataset["i"] = String(i);
    card.addEventListener("toggle", () => {
      if (card.open) this.fill(card);
    });
    // By a click, or a key, which is one too; paper opens all of them and means none.
    card.querySelector("summary")?.addEventListener("click", () => this.act.explained(card.open ? null : e.epoch));
    return card;
  }

  private fill(card: HTMLDetailsElement): void {
    if (card.childElementCount > 1) return;
    const i = Number(card.dataset["i"]);
    const e = this.report.epochs[i]!;
    append(card, h("div", { class: "epoch-body" },
      h("p", { class: "actions" },
        button("its records", () => this.act.records(e.epoch)),
        button("in the timeline", () => this.act.timeline(i))),
      rowsView(e.rows),
      e.diff.length === 0 ? null : h("div", { class: "changes" }, h("h4", {}, "What changed since the epoch before"), rowsView(e.diff)),
      h("h4", {}, "Evidence"),
      e.evidence_missing === "" ? null : h("p", { class: "none" }, visible(e.evidence_missing)),
      e.evidence.map((f) => h("details", { class: "file" }, h("summary", {}, visible(f.name, 200)), copier(f.text, f.name),
        h("pre", { tabindex: 0, "aria-label": f.name }, visible(f.text, 60_000, true))))));
  }
}

const moment = (time: string): string => utc(Date.parse(time));

/** Returns rows of replay explain as names and values. */
function rowsView(rows: Row[]): Child {
  const list = h("dl", { class: "rows" });
  let values: HTMLElement | null = null;
  for (const row of rows) {
    if (row.op === "" && (row.name !== "" || values === null)) {
      values = h("dd");
      append(list, h("dt", { class: row.name.startsWith("!") ? "flagged" : "" }, visible(row.name, 60)), values);
    } else if (values === null) {
      append(list, h("dt"), (values = h("dd")));
    }
    if (row.op === "") append(values, h("div", { class: /^(FAILED|INTERRUPTED)/.test(row.text) ? "bad" : "" }, linked(row.text)));
    else {
      let block = values.lastElementChild;
      if (!block?.classList.contains("diff")) append(values, (block = h("div", { class: "diff" })));
      block.append(diffLine(row));
    }
  }
  return list;
}

/** Returns a text in which the numbers of records open them. */
function linked(text: string): Child {
  const out: Child[] = [];
  let from = 0;
  for (const m of text.matchAll(/\b(records? )(\d{1,15})(?: to (\d{1,15}))?/g)) {
    const link = (digits: string): Child => h("a", { href: `#record=${digits}` }, digits);
    out.push(visible(text.slice(from, m.index)), m[1], link(m[2]!), m[3] ? [" to ", link(m[3])] : null);
    from = m.index + m[0].length;
  }
  out.push(visible(text.slice(from)));
  return out;
}
