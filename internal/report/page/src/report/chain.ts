// The page computes the chain itself: each record names the BLAKE3 of the bytes of
// the one before, and the newest must have the hash of the head. A page that was
// altered after it was made shows that, unless its script was altered too.
import { blake3 } from "@noble/hashes/blake3.js";
import { breather, type Lines } from "../lib/unpack";

export const hashOf = (bytes: Uint8Array): string =>
  Array.from(blake3(bytes), (b) => b.toString(16).padStart(2, "0")).join("");

/** Returns the hash that a record names as that of the one before, "" if it names none. */
export function prevOf(line: string): string {
  return /"prev":"([0-9a-f]{64})"/.exec(line)?.[1] ?? "";
}

export interface Chain {
  links: number;
  /** Positions of records whose prev is not the hash of the line before. */
  broken: number[];
  last: string;
}

/** Computes the hash of every line. */
export async function chain(lines: Lines, progress: (done: number) => void): Promise<Chain> {
  const breathe = breather();
  const out: Chain = { links: 0, broken: [], last: "" };
  for (let i = 0; i < lines.length; i++) {
    if (i > 0) {
      if (prevOf(lines.text(i)) === out.last) out.links++;
      else out.broken.push(i);
    }
    out.last = hashOf(lines.line(i));
    const rest = breathe();
    if (rest) {
      progress(i);
      await rest;
    }
  }
  return out;
}
