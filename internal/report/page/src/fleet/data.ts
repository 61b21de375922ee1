// The data that the hub answers with, as JSON: hub.Fleet of the Go package hub.
// Every text in it may be written by an attacker.

export interface Fleet {
  hub: string;
  /** RFC 3339, as all times. */
  time: string;
  complete: boolean;
  stopped: string;
  counts: Record<string, number>;
  records: number;
  nodes: Node[];
}

export interface Node {
  name: string;
  state: string;
  states: string[];
  reasons: string[];
  journal: string;
  records: number;
  first: string | null;
  seen: string | null;
  epoch: number;
  system: string;
  kernel: string;
  boot: Boot | null;
  flags: Flag[];
  others: string[];
  conflicts: Conflict[];
}

export interface Boot {
  time: string;
  outcome: string;
  exit: number;
  stage: string;
  reason: string;
  attempt: number;
}

export interface Flag {
  code: string;
  severity: string;
  meaning: string;
  count: number;
}

export interface Conflict {
  kind: string;
  journal: string;
  time: string;
  held: Side;
  shown: Side;
  first: Differing | null;
}

export interface Side {
  size: number;
  root: string;
  checkpoint: string;
}

export interface Differing {
  seq: number;
  held: string;
  shown: string;
}

// A list that Go has not made is null.
type Lists = "states" | "reasons" | "flags" | "others" | "conflicts";
type Sent = Omit<Fleet, "nodes"> & { nodes: (Omit<Node, Lists> & { [K in Lists]: Node[K] | null })[] | null };

/** Parses the hub's answer. */
export function parse(text: string): Fleet {
  const sent = JSON.parse(text) as Partial<Sent> | null;
  if (typeof sent?.time !== "string" || typeof sent.counts !== "object") throw new Error("not a fleet");
  const nodes = (sent.nodes ?? []).map((n): Node => ({
    ...n, states: n.states ?? [], reasons: n.reasons ?? [], flags: n.flags ?? [], others: n.others ?? [], conflicts: n.conflicts ?? [],
  }));
  return { ...(sent as Sent), nodes };
}
