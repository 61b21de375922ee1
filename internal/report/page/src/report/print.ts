// What paper needs: every epoch opened, and the rows of the table up to a bound.
import { h } from "../lib/dom";
import { count, utc, visible } from "../lib/text";
import type { History } from "./history";

const bound = 400;

/** Returns the rows for paper, and says which are left out. */
export function printRows(history: History, rows: ArrayLike<number>): HTMLElement {
  const body = h("tbody");
  const shown = Math.min(rows.length, bound);
  for (let k = 0; k < shown; k++) {
    const i = rows[k]!;
    const flags = history.flagsOf(i).map((f) => history.report.flags[f]?.code ?? "").join(", ");
    body.append(h("tr", {},
      h("td", {}, history.seq[i]), h("td", {}, Number.isNaN(history.time[i]!) ? "no time" : utc(history.time[i]!)), h("td", {}, history.epoch[i]),
      h("td", {}, visible(history.kindOf(i), 80), " ", visible(history.aboutOf(i), 160)), h("td", {}, flags)));
  }
  const left = rows.length - shown;
  return h("section", { class: "print-rows" }, h("h2", {}, "Records"),
    h("p", {}, rows.length === history.length ? `All ${count(history.length, "record")}` : `${count(rows.length, "record")} of ${history.length.toLocaleString("en")}, as filtered`,
      left > 0 ? `. Printed are the first ${shown.toLocaleString("en")}; ${left.toLocaleString("en")} are left out: filter the table before you print.` : "."),
    h("table", {}, h("thead", {}, h("tr", {}, ["record", "time", "epoch", "what happened", "flags"].map((name) => h("th", { scope: "col" }, name)))), body));
}
