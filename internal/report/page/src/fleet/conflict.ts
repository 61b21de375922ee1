// A conflict: what the hub holds and what the node showed, beside each other.
import { h, type Child } from "../lib/dom";
import { fact } from "../lib/panel";
import { copier, visible } from "../lib/text";
import type { Conflict, Side } from "./data";
import { journalLinks } from "./links";
import { stateMark } from "./states";
import { when } from "./when";

export function conflictView(c: Conflict, now: number): HTMLElement {
  const side = (title: string, s: Side, hash: string | undefined): Child => h("div", { class: "side", role: "group", "aria-label": title },
    h("h5", {}, title),
    h("dl", { class: "facts" },
      fact("records", s.size.toLocaleString("en")),
      fact("root", h("code", {}, visible(s.root, 200))),
      c.first ? fact(`record ${c.first.seq.toLocaleString("en")}`, hash ? h("code", {}, visible(hash, 200)) : h("span", { class: "none" }, "no such record")) : null),
    h("p", { class: "of-pre" }, "checkpoint ", copier(s.checkpoint, `the checkpoint ${title}`)),
    h("pre", { tabindex: 0, "aria-label": `Checkpoint ${title}` }, visible(s.checkpoint, 20_000, true)));
  return h("section", { class: "conflict" },
    h("h4", {}, stateMark(c.kind), " ", when(c.time, now)),
    h("p", {}, "In journal ", h("code", {}, visible(c.journal, 100)), ". The node's key signed both checkpoints."),
    h("p", {}, c.first ? `The first record that differs is ${c.first.seq.toLocaleString("en")}.` : "The records do not show which of them differs first."),
    h("div", { class: "sides" },
      side("held by the hub", c.held, c.first?.held), side("shown by the node", c.shown, c.first?.shown)),
    journalLinks(c.journal));
}
