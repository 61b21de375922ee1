// The records as columns: numbers in typed arrays, texts once each. A record's
// own text stays packed in its bytes until it is looked at.
import type { Report } from "./data";
import { breather, Lines } from "../lib/unpack";
import { isData } from "../lib/value";

/** Kinds, each stored once. They are few: a history that invents more shows those as one. */
class Kinds {
  readonly all: string[] = [];
  private readonly index = new Map<string, number>();

  add(kind: string): number {
    const name = this.index.has(kind) || this.all.length < 200 ? kind : "one of too many kinds";
    let i = this.index.get(name);
    if (i === undefined) {
      i = this.all.push(name) - 1;
      this.index.set(name, i);
    }
    return i;
  }
}

/** The kind of a line that is no record. */
export const damaged = "not a record";

export type Outcome = "ok" | "failed" | "unfinished" | "operator" | "unknown";
const outcomes: Record<string, Outcome> = { o: "ok", f: "failed", u: "unfinished", a: "operator" };

export class History {
  readonly length: number;
  readonly seq: Float64Array;
  /** Wall-clock times in milliseconds; NaN if a record has none. */
  readonly time: Float64Array;
  /** Where a record is drawn: its time, unless the clock contradicts the order. */
  readonly placed: Float64Array;
  readonly epoch: Float64Array;
  readonly kind: Uint16Array;
  /** Index into runs, -1 before the first. */
  readonly run: Int32Array;
  readonly kinds = new Kinds();
  /** Flags of a record, as indices into report.flags. */
  private readonly flagsBySeq = new Map<number, number[]>();
  private readonly positions = new Map<number, number>();
  /** The first record of each run, by position; runs that have none are left out. */
  readonly runs: { first: number; outcome: Outcome; exit: number }[] = [];

  private constructor(readonly report: Report, readonly lines: Lines) {
    const n = (this.length = lines.length);
    this.seq = new Float64Array(n);
    this.time = new Float64Array(n);
    this.placed = new Float64Array(n);
    this.epoch = new Float64Array(n);
    this.kind = new Uint16Array(n);
    this.run = new Int32Array(n);
    for (let i = 0; i + 1 < report.flagged.length; i += 2) {
      const seq = report.flagged[i]!;
      const flags = this.flagsBySeq.get(seq);
      if (flags) flags.push(report.flagged[i + 1]!);
      else this.flagsBySeq.set(seq, [report.flagged[i + 1]!]);
    }
  }

  /** Reads all lines. progress is called now and then with their number so far. */
  static async read(report: Report, lines: Lines, progress: (done: number) => void): Promise<History> {
    const history = new History(report, lines);
    const breathe = breather();
    for (let i = 0; i < history.length; i++) {
      history.readLine(i);
      if (i % 64 === 0) {
        const rest = breathe();
        if (rest) {
          progress(i);
          await rest;
        }
      }
    }
    history.findRuns();
    history.place();
    return history;
  }

  private readLine(i: number): void {
    let record: unknown;
    try {
      record = JSON.parse(this.lines.text(i));
    } catch {
      record = null;
    }
    const before = i > 0 ? this.seq[i - 1]! : 0;
    if (!isData(record)) {
      this.seq[i] = before + 1;
      this.time[i] = NaN;
      this.epoch[i] = i > 0 ? this.epoch[i - 1]! : NaN;
      this.kind[i] = this.kinds.add(damaged);
    } else {
      const { seq, time, epoch, type } = record;
      this.seq[i] = typeof seq === "number" ? seq : before + 1;
      this.time[i] = typeof time === "string" ? Date.parse(time) : NaN;
      this.epoch[i] = typeof epoch === "number" ? epoch : NaN;
      const kind = typeof type === "string" ? type.slice(0, 80) : "no type";
      this.kind[i] = this.kinds.add(kind);
    }
    if (!this.positions.has(this.seq[i])) this.positions.set(this.seq[i], i);
  }

  private findRuns(): void {
    const { first, outcome, exits } = this.report.runs;
    let exit = 0;
    let run = 0;
    for (let i = 0; i < this.length; i++) {
      while (run < first.length && first[run]! <= this.seq[i]!) {
        const how = outcomes[outcome[run] ?? ""] ?? "unknown";
        const code = how === "failed" ? (exits[exit++] ?? 0) : 0;
        if (first[run] === this.seq[i]) this.runs.push({ first: i, outcome: how, exit: code });
        run++;
      }
      this.run[i] = this.runs.length - 1;
    }
  }

  // A clock may be wrong by years for a while. The longest rising sequence of
  // times is taken as right; the others are drawn where their order puts them.
  private place(): void {
    const tails: number[] = [];
    const before = new Int32Array(this.length).fill(-1);
    for (let i = 0; i < this.length; i++) {
      const t = this.time[i]!;
      if (Number.isNaN(t)) continue;
      let lo = 0;
      let hi = tails.length;
      while (lo < hi) {
        const mid = (lo + hi) >> 1;
        if (this.time[tails[mid]!]! <= t) lo = mid + 1;
        else hi = mid;
      }
      if (lo > 0) before[i] = tails[lo - 1]!;
      tails[lo] = i;
    }
    const right = new Uint8Array(this.length);
    let first = 0;
    for (let i = tails[tails.length - 1] ?? -1; i >= 0; i = before[i]!) {
      right[i] = 1;
      first = i;
    }
    let at = this.length > 0 ? this.time[first]! : 0;
    if (Number.isNaN(at)) at = 0;
    for (let i = 0; i < this.length; i++) {
      if (right[i] === 1) at = this.time[i]!;
      this.placed[i] = at;
    }
  }

  /** Reports whether the clock of a record contradicts the order of records. */
  clockDiffers(i: number): boolean {
    return !Number.isNaN(this.time[i]!) && this.time[i] !== this.placed[i];
  }

  /** Returns the position of the record with a sequence number, -1 if there is none. */
  find(seq: number): number {
    return this.positions.get(seq) ?? -1;
  }

  /** Returns the position of the last record with a smaller number, -1 if there is none. */
  before(seq: number): number {
    let last = -1;
    for (let i = 0; i < this.length; i++) if (this.seq[i]! < seq) last = i;
    return last;
  }

  kindOf(i: number): string {
    return this.kinds.all[this.kind[i]!]!;
  }

  /** Returns what a record says, in words. */
  aboutOf(i: number): string {
    return this.report.texts[this.report.text_of[i] ?? -1] ?? "";
  }

  /** Returns the flags of a record, as indices into report.flags. */
  flagsOf(i: number): number[] {
    return this.flagsBySeq.get(this.seq[i]!) ?? [];
  }

  runOf(i: number): { first: number; outcome: Outcome; exit: number } | undefined {
    return this.runs[this.run[i]!];
  }

  /** Returns the state after a record as lines, null if it is unknown. */
  stateAfter(seq: number): string[] | null {
    return this.report.states[inForce(this.report.state_after, seq)] ?? null;
  }

  /** Returns the cause in force after a record, as an index into report.causes, or -1. */
  causeOf(i: number): number {
    return inForce(this.report.cause_at, this.seq[i]!);
  }
}

/** Returns the value of the last point [seq, value, …] that is not after seq, or -1. */
function inForce(points: number[], seq: number): number {
  let lo = 0;
  let hi = points.length >> 1;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (points[2 * mid]! <= seq) lo = mid + 1;
    else hi = mid;
  }
  return lo === 0 ? -1 : points[2 * lo - 1]!;
}
