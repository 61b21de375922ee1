// The page of a report: unpacks the data that Go packed, and composes the parts.
import type { Report } from "./data";
import { append, button, h } from "../lib/dom";
import { keyList, tableKeys } from "../lib/keys";
import { Panel } from "../lib/panel";
import { readPlace, writePlace } from "../lib/place";
import { icon, severity } from "../lib/shapes";
import { Table } from "../lib/table";
import { copier, count, plain, utc, visible } from "../lib/text";
import { themeSwitch } from "../lib/theme";
import { Lines, unpack } from "../lib/unpack";
import { chain } from "./chain";
import { detail, timeCell } from "./detail";
import { Epochs } from "./epochs";
import { Filter } from "./filter";
import { flagList } from "./flags";
import { History } from "./history";
import { overview } from "./overview";
import { printRows } from "./print";

// Of the timeline on an upright page, A4 or Letter: a script cannot ask for it.
const paperWidth = 560;

const packed = (id: string): Promise<Uint8Array> => unpack(document.getElementById(id)?.textContent ?? "");

async function start(main: HTMLElement): Promise<void> {
  document.getElementById("tools")?.append(themeSwitch());
  const head = document.getElementById("head-hash");
  head?.after(copier(head.textContent, "the head's hash"));

  const bar = h("progress", { max: 1, "aria-label": "Reading the records" });
  main.append(h("p", { class: "loading" }, "reading the records… ", bar));
  const report = JSON.parse(new TextDecoder().decode(await packed("report"))) as Report;
  const lines = new Lines(await packed("records"));
  const history = await History.read(report, lines, (done) => (bar.value = done / lines.length));
  compose(main, report, history);
  await check(history);
}

function compose(main: HTMLElement, report: Report, history: History): void {
  let rows: ArrayLike<number> = [];
  let current = -1;
  let view = "";
  let explained = "";

  /** Scrolls to a part of the page. Reports whether there is one. */
  const goto = (id: string): boolean => {
    const part = document.getElementById(id);
    part?.scrollIntoView({ block: "start" });
    return part !== null;
  };
  let following = false; // the address is being read, and must not be written
  const write = (step: boolean): void => {
    if (following) return;
    const place = filter.place;
    if (current >= 0) {
      const seq = history.seq[current]!;
      // Of records with one number, the later ones are named by position too.
      place.set("record", history.find(seq) === current ? String(seq) : `${seq}~${current + 1}`);
    }
    place.set("view", view).set("explain", explained);
    writePlace(place, step);
  };

  const open = (i: number, focus = false): void => {
    if (i < 0 || i >= history.length) return;
    const step = current !== i;
    current = i;
    const { title, content } = detail(history, i, (other) => open(other, true));
    table.select(i);
    records.classList.add("with-panel");
    panel.show(title, content, focus);
    write(step);
  };
  const panel = new Panel(() => {
    records.classList.remove("with-panel");
    current = -1;
    table.focus();
    table.select(-1);
    write(false);
  });
  const openSeq = (seq: number): void => {
    const i = history.find(seq);
    if (i >= 0) {
      open(i, true);
      return;
    }
    current = -1;
    records.classList.add("with-panel");
    panel.show(`Record ${seq}`, h("p", {}, "This record is not in the page: it could not be read, or is not in the source."), true);
  };

  const table = new Table({
    label: "Records",
    open: (i) => open(i),
    rowClass: (i) => (history.kindOf(i) === "PrecheckFailed" ? "failed" : history.kindOf(i) === "EpochRotated" ? "rotated" : ""),
    columns: [
      { name: "record", class: "c-seq", cell: (i) => history.seq[i]! },
      { name: "time (UTC)", class: "c-time", cell: (i) => timeCell(history, i) },
      { name: "epoch", class: "c-epoch", cell: (i) => h("span", {}, Number.isNaN(history.epoch[i]!) ? "" : history.epoch[i]!) },
      { name: "kind", class: "c-kind", cell: (i) => visible(history.kindOf(i), 60) },
      { name: "what happened", class: "c-about", cell: (i) => visible(history.aboutOf(i), 240) },
      {
        name: "flags", class: "c-flags", cell: (i) => history.flagsOf(i).map((f) => {
          const flag = report.flags[f];
          return flag ? h("span", { class: "chip" }, severity(flag.severity), flag.code) : null;
        }),
      },
    ],
  });
  const filter = new Filter(history, (found, changed) => {
    rows = found;
    empty.hidden = found.length > 0;
    table.show(found, current);
    if (changed) write(false);
  });
  const filterBy = (name: string, value: string): void => {
    filter.set(new Map([[name, value]]), true);
    goto("records");
  };

  let later: ReturnType<typeof setTimeout> | undefined;
  const timeline = overview(history, {
    open: (i) => open(i, true),
    filter: filterBy,
    explain: (k) => epochs.show(k),
    moved: (from, to, all) => {
      view = all ? "" : `${utc(from, true)},${utc(to, true)}`;
      inTable.disabled = all;
      // Browsers refuse an address that changes with every frame.
      clearTimeout(later);
      later = setTimeout(() => write(false), 120);
    },
  });
  const inTable = button("only this time in the table", () => {
    filter.between(...timeline.window);
    goto("records");
  }, { disabled: true });
  timeline.element.querySelector(".tl-tools")?.append(inTable);

  const epochs = new Epochs(report, {
    explained: (epoch) => {
      explained = epoch === null ? "" : String(epoch);
      write(false);
    },
    records: (epoch) => filterBy("epoch", String(epoch)),
    timeline: (k) => {
      const a = history.find(report.epochs[k]!.began.seq);
      const next = report.epochs[k + 1];
      const b = next ? history.find(next.began.seq) : history.length - 1;
      if (a >= 0 && b >= 0) timeline.show(history.placed[a]!, history.placed[b]!);
      goto("timeline");
    },
  });

  const empty = h("p", { class: "empty", hidden: true }, "No record passes the filter.");
  const records = h("div", { class: "records" }, h("div", { class: "records-list" }, table.element, empty), panel.element);
  const paper = h("div", { class: "paper" });
  main.replaceChildren(
    h("section", { "aria-labelledby": "timeline" }, h("h2", { id: "timeline", tabindex: -1 }, "Timeline"), timeline.element, keys()),
    flagList(report, (code) => filterBy("flag", code)),
    h("section", { class: "on-screen", "aria-labelledby": "records" }, h("h2", { id: "records", tabindex: -1 }, "Records"), filter.element, records),
    epochs.element, paper,
  );

  // A link in the page keeps the filter, which a change of the address would not.
  document.addEventListener("click", (e) => {
    const link = e.target instanceof Element ? e.target.closest("a[href^='#']") : null;
    if (!link) return;
    e.preventDefault();
    const to = (link.getAttribute("href") ?? "").slice(1);
    const seq = /^record=(\d+)$/.exec(to)?.[1];
    if (seq) openSeq(Number(seq));
    else if (goto(to)) document.getElementById(to)?.focus({ preventScroll: true });
  });
  const follow = (): void => {
    const place = readPlace();
    following = true;
    filter.set(place, false);
    const [from, to] = (place.get("view") ?? "").split(",").map((t) => Date.parse(t));
    if (from !== undefined && to !== undefined && to > from) timeline.show(from, to);
    const [seq, position] = (place.get("record") ?? "").split("~").map(Number);
    if (seq) {
      goto("records");
      if (position) open(position - 1, true);
      else openSeq(seq);
    } else if (panel.isOpen) panel.close();
    if (place.size === 1) goto(location.hash.slice(1));
    const epoch = place.get("explain") ?? "";
    if (epoch !== explained) epochs.show(report.epochs.findIndex((e) => String(e.epoch) === epoch));
    explained = epoch;
    following = false;
  };
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  follow();

  const printing = (on: boolean): void => {
    if (on === paper.hasChildNodes()) return;
    epochs.all(on);
    timeline.resize(on ? paperWidth : timeline.element.querySelector(".tl-stage")?.clientWidth ?? 0);
    paper.replaceChildren();
    if (on) paper.append(printRows(history, rows));
  };
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
  matchMedia("print").addEventListener("change", (e) => printing(e.matches));
}

/** Computes the chain of the records in the page, and says whether it holds. */
async function check(history: History): Promise<void> {
  const place = document.getElementById("chain");
  if (!place || history.length === 0) return;
  const said = h("span", {}, "This page is computing the hash of each record…");
  place.replaceChildren(said);
  const { links, broken, last } = await chain(history.lines, (done) => (said.textContent = `This page is computing the hash of each record: ${Math.floor((100 * done) / history.length)} %`));
  const headHolds = last === history.report.head.hash;
  const problems: string[] = [];
  const first = broken[0];
  if (first !== undefined) {
    const what = broken.length === 1 ? "One record does" : `${broken.length.toLocaleString("en")} records do`;
    problems.push(`${what} not link to the record before; the first is ${history.seq[first]!}, at position ${first + 1}.`);
  }
  if (!headHolds) problems.push("The newest record in the page does not have the hash of the head.");
  place.replaceChildren();
  if (problems.length > 0) append(place, icon("cross", "failed"), " This page computed the chain again. ", problems.join(" "));
  else append(place, h("span", { class: "tick" }, "✓"), ` This page computed the chain again: ${count(links, "link")} hold, and the newest record has the hash of the head.`);
}

function keys(): HTMLElement {
  return h("details", { class: "keys" }, h("summary", {}, "Keys and gestures"),
    h("div", { id: "keys" },
      h("p", {}, "In the timeline:"),
      keyList([[["←", "→"], "earlier, later"], [["+", "-"], "zoom in, zoom out"], [["Home"], "all time"], [["n", "p"], "next, previous mark"], [["Enter"], "open the mark"],
        [["Ctrl + wheel", "pinch"], "zoom"], [["drag"], "earlier, later"]]),
      h("p", {}, "In the table:"),
      tableKeys("record"),
      h("p", {}, "The address of the page holds filter, window and record: a copy of it opens the same.")));
}

const main = document.getElementById("page");
if (main) {
  start(main).catch((err: unknown) => {
    main.replaceChildren(h("p", { class: "unreadable", role: "status" }, "The records in this page cannot be read: ", plain(String(err)), ". Make the page again with edgectl report --html, or export the journal."));
  });
}
