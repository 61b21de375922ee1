// One node whole: its states with their reasons and what to do, its journal, its
// newest boot, its flags and its conflicts.
import { append, button, h, type Child } from "../lib/dom";
import { fact } from "../lib/panel";
import { severity } from "../lib/shapes";
import { copier, count, visible } from "../lib/text";
import { conflictView } from "./conflict";
import type { Boot, Node } from "./data";
import { journalLinks } from "./links";
import { outcomeMark, stateMark, stateOf } from "./states";
import { when } from "./when";

/** Returns the title and contents of a node's detail. */
export function detail(node: Node, now: number): { title: Child; content: Child } {
  return {
    title: visible(node.name, 200),
    content: [
      h("ul", { class: "states" }, node.states.map((state, k) => {
        const s = stateOf(state);
        const reason = node.reasons[k] ?? "";
        return h("li", {}, h("b", {}, stateMark(state)), reason === "" ? null : h("p", { class: "reason" }, visible(reason, 1000)),
          h("p", {}, s.meaning), s.next === "" ? null : h("p", { class: "advice" }, s.next));
      })),
      node.journal === "" ? null : journalLinks(node.journal),
      node.conflicts.length === 0 ? null : [h("h3", {}, count(node.conflicts.length, "conflict")), many(node.conflicts, 10, (c) => conflictView(c, now))],
      h("dl", { class: "facts" },
        node.journal === "" ? fact("journal", h("span", { class: "none" }, "none"))
          : [fact("journal", h("code", {}, visible(node.journal, 100)), copier(node.journal, "the journal's id")), fact("records", node.records.toLocaleString("en")), fact("epoch", node.epoch.toLocaleString("en"))],
        fact("first seen", when(node.first, now)), fact("last seen", when(node.seen, now)),
        node.system === "" ? null : fact("system", visible(node.system, 300)),
        node.kernel === "" ? null : fact("kernel", visible(node.kernel, 300))),
      node.boot ? [h("h3", {}, "Newest boot"), boot(node.boot, now)] : null,
      node.flags.length === 0 ? null : [h("h3", {}, "Flags"), many(node.flags, 50, (f) => h("p", { class: "flag-note" },
        severity(f.severity), h("b", {}, visible(f.code, 100)), f.count > 1 ? ` × ${f.count.toLocaleString("en")}` : null,
        h("span", { class: "sr" }, f.severity === "warning" ? " (warning)" : " (notice)"), ": ", visible(f.meaning, 600)))],
      node.others.length === 0 ? null : [h("h3", {}, "Other journals, the newest first"), many(node.others, 20, (id) => h("div", { class: "other" }, h("code", {}, visible(id, 100)), journalLinks(id)))],
    ],
  };
}

function boot(b: Boot, now: number): Child {
  return h("dl", { class: "facts" },
    fact("outcome", outcomeMark(b.outcome), b.outcome === "failed" ? `exit ${b.exit}` : null),
    fact("time", when(b.time, now)),
    b.stage === "" ? null : fact("stage", visible(b.stage, 200)),
    b.reason === "" ? null : fact("reason", visible(b.reason, 2000)),
    b.attempt === 0 ? null : fact("attempt", `${b.attempt.toLocaleString("en")} of the open reconstruction`));
}

/** Returns a list of which so many are made at a time. */
function many<T>(items: T[], page: number, make: (item: T) => HTMLElement): Child {
  const list = h("div");
  let made = 0;
  const more = button("", () => show(), { class: "more" });
  const show = (): void => {
    append(list, items.slice(made, made + page).map(make));
    made = Math.min(made + page, items.length);
    more.hidden = made === items.length;
    more.textContent = `show ${Math.min(items.length - made, page)} more of ${(items.length - made).toLocaleString("en")}`;
  };
  show();
  return [list, more];
}

