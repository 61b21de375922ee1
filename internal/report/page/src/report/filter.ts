// What the table shows: the parts of a filter, and the records that pass all of
// them.
import { FilterForm } from "../lib/filter";
import type { Place } from "../lib/place";
import { plain, utc } from "../lib/text";
import type { History } from "./history";

const boots: Record<string, string> = {
  ok: "ended well", failed: "failed", unfinished: "not ended", operator: "an operator's command", unknown: "not known",
};

/** Parses "3, 5-7" into ranges. */
function ranges(text: string): [number, number][] {
  return text.split(",").flatMap((part): [number, number][] => {
    const m = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part);
    return m ? [[Number(m[1]), Number(m[2] ?? m[1])]] : [];
  });
}

// A date, or the beginning of one, means all of its time.
const shape = "0000-01-01T00:00:00.000Z";
function from(text: string): number {
  const bare = text.replace(/Z$/, "");
  return bare === "" ? -Infinity : Date.parse(bare + shape.slice(bare.length));
}
function until(text: string): number {
  if (text === "") return Infinity;
  const bare = text.replace(/Z$/, "");
  const start = new Date(from(bare));
  if (Number.isNaN(start.getTime())) return NaN;
  switch (bare.length) {
    case 4: start.setUTCFullYear(start.getUTCFullYear() + 1); break;
    case 7: start.setUTCMonth(start.getUTCMonth() + 1); break;
    case 10: start.setUTCDate(start.getUTCDate() + 1); break;
    case 13: start.setUTCHours(start.getUTCHours() + 1); break;
    case 16: start.setUTCMinutes(start.getUTCMinutes() + 1); break;
    case 19: start.setUTCSeconds(start.getUTCSeconds() + 1); break;
    default: return start.getTime() + 1;
  }
  return start.getTime();
}

export class Filter {
  private readonly form: FilterForm;
  private asked = 0;

  constructor(private readonly history: History, private readonly show: (rows: ArrayLike<number>, changed: boolean) => void) {
    const { report } = history;
    const perKind = new Uint32Array(history.kinds.all.length);
    for (const k of history.kind) perKind[k]!++;
    this.form = new FilterForm({
      label: "Records",
      search: { label: "Search all text of the records", hint: "search all text" },
      menus: {
        kind: history.kinds.all.map((value, k) => ({ value, label: plain(value), count: perKind[k]! })).sort((a, b) => (a.value < b.value ? -1 : 1)),
        flag: [{ value: "warning", label: "any warning" }, { value: "notice", label: "any notice" }, ...report.flags.map((f) => ({ value: f.code, label: f.code, count: f.count }))],
        cause: report.causes.map((value) => ({ value, label: value.replaceAll("_", " ") })),
        boot: Object.entries(boots).map(([value, label]) => ({ value, label, count: history.runs.filter((r) => r.outcome === value).length })).filter((c) => c.count > 0),
      },
      fields: {
        epoch: { label: "Epochs, such as 3 or 5-7", hint: "3, 5-7" },
        from: { label: "From this time on, UTC", hint: "2024-05" },
        until: { label: "Until this time, UTC", hint: "2024-06-30" },
      },
      changed: () => void this.apply(true),
    });
  }

  get element(): HTMLElement {
    return this.form.element;
  }

  /** Returns the filter as parameters of the address. */
  get place(): Place {
    return this.form.place;
  }

  /** Sets the filter from such parameters: all that they do not name are cleared. */
  set(place: Place, changed: boolean): void {
    this.form.place = place;
    void this.apply(changed);
  }

  /** Sets the times that bound the records. */
  between(a: number, b: number): void {
    this.form.enter("from", utc(Math.floor(a), true));
    this.form.enter("until", utc(Math.ceil(b), true));
    void this.apply(true);
  }

  private async apply(changed: boolean): Promise<void> {
    const ask = ++this.asked;
    const { history } = this;
    const tests = this.tests();
    let rows = new Uint32Array(history.length);
    let n = 0;
    for (let i = 0; i < history.length; i++) if (tests.every((test) => test(i))) rows[n++] = i;
    rows = rows.slice(0, n);
    const q = this.form.text("q");
    if (q !== "") {
      this.form.say("searching…");
      const hits = new Uint8Array(history.length);
      const wanted = q.toLowerCase();
      for (const i of rows) if (`${history.kindOf(i)} ${history.aboutOf(i)}`.toLowerCase().includes(wanted)) hits[i] = 1;
      await history.lines.search(q, (line) => (hits[line] = 1), () => ask !== this.asked);
      if (ask !== this.asked) return;
      rows = rows.filter((i) => hits[i] === 1);
    }
    this.form.say(rows.length === history.length ? `all ${history.length.toLocaleString("en")} records` : `${rows.length.toLocaleString("en")} of ${history.length.toLocaleString("en")} records`);
    this.show(rows, changed);
  }

  // tests are those parts of the filter that are in use.
  private tests(): ((i: number) => boolean)[] {
    const { history, form } = this;
    const { report } = history;
    const out: ((i: number) => boolean)[] = [];
    const kinds = form.chosen("kind");
    if (kinds.length > 0) out.push((i) => kinds.includes(history.kindOf(i)));
    const flags = form.chosen("flag");
    if (flags.length > 0) out.push((i) => history.flagsOf(i).some((f) => flags.includes(report.flags[f]!.code) || flags.includes(report.flags[f]!.severity)));
    const causes = form.chosen("cause").map((c) => report.causes.indexOf(c));
    if (causes.length > 0) out.push((i) => causes.includes(history.causeOf(i)));
    const ended = form.chosen("boot");
    if (ended.length > 0) out.push((i) => ended.includes(history.runOf(i)?.outcome ?? ""));
    const epochs = ranges(form.text("epoch"));
    if (epochs.length > 0) out.push((i) => epochs.some(([a, b]) => history.epoch[i]! >= a && history.epoch[i]! <= b));
    // A record is found by its own time, and by where the timeline shows it.
    const [a, b] = [from(form.text("from")), until(form.text("until"))];
    const time = (test: (t: number) => boolean) => (i: number): boolean => test(history.time[i]!) || test(history.placed[i]!);
    const low = Number.isNaN(a) ? -Infinity : a;
    const high = Number.isNaN(b) ? Infinity : b;
    if (low > -Infinity || high < Infinity) out.push(time((t) => t >= low && t < high));
    for (const [name, bad] of [["from", Number.isNaN(a)], ["until", Number.isNaN(b)], ["epoch", epochs.length === 0]] as const) {
      form.invalid(name, bad && form.text(name) !== "");
    }
    return out;
  }
}
