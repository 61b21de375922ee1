// The flags of all epochs, each code once with its meaning.
import type { Report } from "./data";
import { button, h, type Child } from "../lib/dom";
import { icon, severity } from "../lib/shapes";

export function flagList(report: Report, show: (code: string) => void): HTMLElement {
  const items: Child[] = report.flags.map((f) => h("li", { class: f.severity },
    severity(f.severity),
    h("span", {}, h("b", {}, f.code), f.count > 1 ? h("span", { class: "times" }, ` × ${f.count}`) : null, h("span", { class: "sr" }, ` (${f.severity})`), " ",
      h("span", { class: "meaning" }, f.meaning)),
    button([f.count > 1 ? `show ${f.count}` : "show", h("span", { class: "sr" }, ` flagged ${f.code}`)], () => show(f.code))));
  return h("section", { "aria-labelledby": "flags" }, h("h2", { id: "flags", tabindex: -1 }, "Flags"),
    report.flags.length === 0
      ? h("p", {}, "None: every boot was clean or as requested.")
      : [h("p", { class: "hint" }, "What deserves a second look. A flag is no verdict: ", icon("triangle", "warning"), " a warning is unusual on a healthy node, ", icon("ring", "notice"), " a notice is intended or harmless."),
        h("ul", { class: "flags" }, items)]);
}
