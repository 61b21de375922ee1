// The timeline of this page: epochs as spans; boots, operators' commands, records
// and flags as marks.
import type { Report } from "./data";
import { inSight, Timeline, type Row, type Span } from "../lib/timeline";
import type { Shape } from "../lib/shapes";
import { count, plain, utc } from "../lib/text";
import type { History, Outcome } from "./history";

export interface OverviewActions {
  open: (i: number) => void;
  filter: (name: string, value: string) => void;
  explain: (index: number) => void;
  moved: (from: number, to: number, all: boolean) => void;
}

export function overview(history: History, act: OverviewActions): Timeline {
  const { report } = history;
  const boots = (outcome: Outcome, name: string, shape: Shape, dense = false): Row => {
    const runs = history.runs.filter((r) => r.outcome === outcome);
    return {
      name, shape, dense, class: outcome,
      at: Float64Array.from(runs, (r) => history.placed[r.first]!),
      describe: (k) => {
        const r = runs[k]!;
        return `${at(history, r.first)}: ${outcome === "operator" ? `${history.kindOf(r.first)}, ${history.aboutOf(r.first)}` : outcome === "failed" ? `boot failed with exit ${r.exit}` : outcome === "unfinished" ? "boot not ended" : "boot ended well"}${flags(history, r.first)}`;
      },
      open: (k) => act.open(runs[k]!.first),
      press: () => act.filter("boot", outcome),
    };
  };
  const flagged = (severity: "warning" | "notice", name: string, shape: Shape): Row => {
    const marks: [number, number][] = [];
    for (let k = 0; k + 1 < report.flagged.length; k += 2) {
      const i = history.find(report.flagged[k]!);
      const flag = report.flags[report.flagged[k + 1]!];
      if (i >= 0 && flag?.severity === severity) marks.push([i, report.flagged[k + 1]!]);
    }
    marks.sort((a, b) => a[0] - b[0]);
    return {
      name, shape, class: severity,
      at: Float64Array.from(marks, ([i]) => history.placed[i]!),
      describe: (k) => {
        const [i, f] = marks[k]!;
        const flag = report.flags[f]!;
        return `${at(history, i)}: ${flag.code}: ${flag.meaning}`;
      },
      open: (k) => act.open(marks[k]![0]),
      press: () => act.filter("flag", severity),
    };
  };
  const well = boots("ok", "ended well", "dot", true);
  well.near = {
    at: history.placed, most: 30,
    label: (i) => `${history.seq[i]!} ${plain(history.kindOf(i)).slice(0, 24)}`,
    class: (i) => (history.kindOf(i) === "PrecheckFailed" ? "failed" : "record"),
    open: act.open,
  };
  const failed = boots("failed", "failed", "cross");
  const unfinished = boots("unfinished", "not ended", "half");
  const operator = boots("operator", "operators", "diamond");
  const warnings = flagged("warning", "warnings", "triangle");
  const notices = flagged("notice", "notices", "ring");
  const rare = [boots("unknown", "not known", "square"), gaps(history, act)].filter((row) => row.at.length > 0);
  const rows = [failed, unfinished, well, operator, warnings, notices, ...rare];
  const gates = [failed, unfinished, well];

  return new Timeline({
    label: "Timeline of epochs, boots and flags. The list of epochs has the same facts.",
    describedBy: "keys",
    spanName: "epochs",
    spans: spans(history),
    rows,
    visit: [failed, unfinished, warnings, notices, ...rare],
    describeSpan: (i) => describe(report, i),
    spanButton: (i) => `explain epoch ${report.epochs[i]!.epoch}`,
    openSpan: act.explain,
    summary: (from, to) => {
      const n = (row: Row): number => inSight(row.at, from, to);
      const parts = [count(gates.reduce((sum, r) => sum + n(r), 0), "boot")];
      if (n(failed) > 0) parts.push(`${n(failed).toLocaleString("en")} failed`);
      if (n(unfinished) > 0) parts.push(`${n(unfinished).toLocaleString("en")} not ended`);
      parts.push(count(n(warnings), "warning"), count(n(notices), "notice"));
      const short = to - from > 3 * 86_400_000;
      return `${utc(from).slice(0, short ? 10 : 20)} to ${utc(to).slice(0, short ? 10 : 20)}: ${parts.join(", ")}`;
    },
    moved: act.moved,
  });
}

/** Records that cannot be read, at the record before them. */
function gaps(history: History, act: OverviewActions): Row {
  const marks = history.report.unreadable.map((u) => ({ u, i: Math.max(history.before(u.seq), 0) })).sort((a, b) => a.i - b.i);
  return {
    name: "unreadable", shape: "square", class: "failed",
    at: Float64Array.from(history.length > 0 ? marks : [], ({ i }) => history.placed[i]!),
    describe: (k) => {
      const { u } = marks[k]!;
      return `${u.last > u.seq ? `records ${u.seq} to ${u.last}` : `record ${u.seq}`}: ${plain(u.reason)}`;
    },
    open: (k) => act.open(marks[k]!.i),
  };
}

const at = (history: History, i: number): string => `record ${history.seq[i]!}, ${Number.isNaN(history.time[i]!) ? "no time" : utc(history.time[i]!)}`;

function flags(history: History, i: number): string {
  const codes = history.flagsOf(i).map((f) => history.report.flags[f]?.code ?? "");
  return codes.length > 0 ? `; ${codes.join(", ")}` : "";
}

function spans(history: History): Span[] {
  const { epochs } = history.report;
  const starts = epochs.map((e) => {
    const i = history.find(e.began.seq);
    return i >= 0 ? history.placed[i]! : Date.parse(e.began.time);
  });
  const end = history.length > 0 ? history.placed[history.length - 1]! : 0;
  return epochs.map((e, k) => ({
    from: k === 0 && history.length > 0 ? Math.min(starts[0]!, history.placed[0]!) : starts[k]!,
    to: Math.max(starts[k + 1] ?? end, starts[k]!),
    label: `${e.epoch}  ${plain(e.system)}`,
    class: k % 2 === 0 ? "even" : "odd",
  }));
}

function describe(report: Report, i: number): string {
  const e = report.epochs[i]!;
  const flags = e.flags.length > 0 ? `; flags: ${e.flags.map((f) => f.code).join(", ")}` : "";
  return `epoch ${e.epoch}: ${plain(e.why)}; ${plain(e.system || "no system named")}, kernel ${plain(e.kernel || "not known")}; ${count(e.boots, "boot")}, ${e.clean_boots} clean${flags}`;
}
