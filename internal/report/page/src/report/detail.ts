// One record whole: what it says, its hash and neighbours, the state of the node
// before and after it, and its exact text.
import { button, h, type Child } from "../lib/dom";
import { diff, diffView } from "../lib/diff";
import { indent } from "../lib/json";
import { fact } from "../lib/panel";
import { icon, severity } from "../lib/shapes";
import { copier, utc, visible } from "../lib/text";
import { isData, textOf, type Data } from "../lib/value";
import { hashOf, prevOf } from "./chain";
import { damaged, type History } from "./history";

const code = (text: string, what: string): Child => [h("code", {}, text), copier(text, what)];

/** Returns the hash of a record. */
function hash(history: History, i: number): string {
  if (history.kindOf(i) !== damaged) return hashOf(history.lines.line(i));
  const given = history.report.hashes[String(history.seq[i])];
  return given ?? (i + 1 < history.length ? prevOf(history.lines.text(i + 1)) : "");
}

/** Returns the title and contents of a record's detail. open opens another record. */
export function detail(history: History, i: number, open: (i: number) => void): { title: Child; content: Child } {
  const line = history.lines.text(i);
  let record: Data = {};
  let exact = line;
  try {
    const parsed: unknown = JSON.parse(line);
    if (isData(parsed)) record = parsed;
    else if (typeof parsed === "string") exact = parsed;
  } catch {
    // Bytes that are no JSON are shown as they are.
  }
  const isRecord = history.kindOf(i) !== damaged;
  const own = hash(history, i);
  const after = i + 1 < history.length ? prevOf(history.lines.text(i + 1)) : "";
  const head = history.report.head.hash;
  const linked = i + 1 < history.length
    ? after === own ? "The next record names this hash." : "The next record names another hash: the chain is broken here."
    : own === head ? "This is the hash of the head." : "";
  const neighbour = (at: number, name: string, sign: string): Child =>
    at >= 0 && at < history.length
      ? button([h("span", { "aria-hidden": "true" }, sign), h("span", { class: "sr" }, `${name} record:`), ` ${history.seq[at]!} `, h("small", {}, visible(history.kindOf(at), 40))], () => open(at), { class: name })
      : h("span", { class: "none" }, `no ${name} record`);
  const flags = history.flagsOf(i).map((f) => history.report.flags[f]).filter((f) => f !== undefined);
  const run = history.runOf(i);
  // A failure says what to do about it.
  const next = isData(record["data"]) ? textOf(record["data"]["next"]) : "";

  return {
    title: isRecord ? `Record ${history.seq[i]!}` : `Position ${i + 1}: not a record`,
    content: [
      h("p", { class: "lead" }, h("b", {}, visible(history.kindOf(i))), " ", visible(history.aboutOf(i), 600)),
      next === "" ? null : h("p", { class: "advice" }, "next: ", visible(next)),
      flags.map((f) => h("p", { class: "flag-note" }, severity(f.severity), h("b", {}, f.code), ": ", f.meaning)),
      h("nav", { class: "neighbours", "aria-label": "Neighbours" }, neighbour(i - 1, "previous", "←"), neighbour(i + 1, "next", "→")),
      h("dl", { class: "facts" },
        isRecord ? [
          fact("time", visible(textOf(record["time"])), history.clockDiffers(i) ? h("span", { class: "clock" }, " by a clock that contradicts the order of the records") : null,
            typeof record["uptime_ms"] === "number" ? `, ${record["uptime_ms"]} ms after boot` : null),
          fact("epoch", String(history.epoch[i])),
          run ? fact("boot", run.outcome === "failed" ? `failed with exit ${run.exit}` : run.outcome === "unfinished" ? "did not end" : run.outcome === "operator" ? "an operator's command" : run.outcome === "ok" ? "ended well" : "not known",
            `, began with record ${history.seq[run.first]!}`) : null,
          fact("boot id", visible(textOf(record["boot_id"]))),
          fact("run", visible(textOf(record["run"]))),
          fact("node", visible(textOf(record["node"]))),
        ] : null,
        own === "" ? null : fact("hash", code(own, "the record's hash"), h("small", { class: linked.includes("broken") ? "broken" : "" }, linked)),
        prevOf(line) === "" || !isRecord ? null : fact("previous", code(prevOf(line), "the previous record's hash")),
        fact("link", code(`#record=${history.seq[i]!}`, "the link to this record"), h("small", {}, "Add it to the name of this file.")),
      ),
      h("h3", {}, "State, before and after"),
      states(history, i),
      texts(record).map(([name, body]) => [h("h3", {}, name), h("pre", { tabindex: 0, "aria-label": name }, visible(body, 20_000, true))]),
      h("h3", {}, isRecord ? "The record" : "The bytes", " ", copier(line, isRecord ? "the record's exact bytes" : "the line")),
      h("pre", { class: "exact", tabindex: 0, "aria-label": "The record" }, visible(isRecord ? indent(exact) : exact, 60_000, true)),
    ],
  };
}

function states(history: History, i: number): Child {
  const before = i > 0 ? history.stateAfter(history.seq[i - 1]!) : [];
  const after = history.stateAfter(history.seq[i]!);
  if (!before || !after) return h("p", {}, visible(history.report.state_unknown || "not known"));
  const lines = diff(before, after);
  return [lines.every((l) => l.op === "") ? h("p", { class: "none" }, "The record did not change it.") : null, diffView(lines)];
}

/** Returns the texts inside a record that are easier to read by line. */
function texts(record: Data): [string, string][] {
  const data = isData(record["data"]) ? record["data"] : {};
  const inner = isData(data["os_fingerprint"]) ? data["os_fingerprint"] : {};
  const out: [string, string][] = [];
  const os = textOf(data["os_release"]) || textOf(inner["os_release"]);
  if (os !== "") out.push(["os-release", os]);
  try {
    const manifest = atob(textOf(data["manifest"]));
    if (manifest !== "") out.push(["Manifest", new TextDecoder().decode(Uint8Array.from(manifest, (c) => c.charCodeAt(0)))]);
  } catch {
    // It is shown in the record itself.
  }
  return out;
}

/** Returns a time for a list: its own, marked if the clock was wrong. */
export function timeCell(history: History, i: number): Child {
  const t = history.time[i]!;
  return [Number.isNaN(t) ? "no time" : utc(t), history.clockDiffers(i) ? h("span", { class: "clock", title: "The clock contradicts the order of the records." }, " ", icon("triangle", "warning"), h("span", { class: "sr" }, "wrong clock")) : null];
}
