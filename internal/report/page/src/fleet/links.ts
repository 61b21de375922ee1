// Links to what the hub has about a journal.
import { h, type Child } from "../lib/dom";

// The id becomes a part of an address: nothing but a UUID may.
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const targets: [string, string][] = [["report", "report"], ["records", "records.jsonl"], ["checkpoint", "checkpoint"]];

export function journalLinks(journal: string): Child {
  if (!uuid.test(journal)) return h("p", { class: "none" }, "No links: this is not the id of a journal.");
  return h("p", { class: "links" }, targets.map(([name, file]) => h("a", { href: `edged/${journal}/${file}`, "aria-label": `${name} of journal ${journal}` }, name)));
}
