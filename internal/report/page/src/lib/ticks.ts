// Ticks of a time axis in UTC, from years to milliseconds.
import { utcTickInterval } from "d3-time";

export interface Tick {
  at: number;
  label: string;
}

/** Returns about so many ticks between two times. */
export function ticks(from: number, to: number, about: number): Tick[] {
  const interval = utcTickInterval(new Date(from), new Date(to), about);
  return (interval?.range(new Date(from), new Date(to + 1)) ?? []).map((t) => ({ at: t.getTime(), label: label(t) }));
}

// A label says the largest unit that begins at the tick.
function label(t: Date): string {
  const iso = t.toISOString();
  if (t.getUTCMilliseconds() !== 0) return iso.slice(19, 23);
  if (t.getUTCSeconds() !== 0) return iso.slice(11, 19);
  if (t.getUTCHours() !== 0 || t.getUTCMinutes() !== 0) return iso.slice(11, 16);
  if (t.getUTCDate() !== 1) return iso.slice(5, 10);
  if (t.getUTCMonth() !== 0) return iso.slice(0, 7);
  return iso.slice(0, 4);
}
