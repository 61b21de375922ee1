// The data that package report writes into the page, as JSON.

/** A record's place and wall-clock time (RFC 3339). */
export interface Moment {
  seq: number;
  time: string;
}

export interface Finding {
  severity: "error" | "warning";
  code: string;
  seq: number;
  detail: string;
}

/** A flag of replay explain: all of one code. */
export interface FlagSum {
  code: string;
  severity: "warning" | "notice";
  meaning: string;
  count: number;
  epochs: number;
  first: Moment;
}

/** A flag of one epoch. */
export interface Flag {
  code: string;
  severity: "warning" | "notice";
  count: number;
  first: Moment;
  last: Moment;
  detail: string;
}

/** One row of replay explain or replay diff. A row without a name continues the one before. */
export interface Row {
  name: string;
  text: string;
  /** "+" and "-" are lines that were added and removed; "" is any other row. */
  op: "" | "+" | "-";
}

/** A file of an epoch: its evidence, its manifest or the manifest's signature. */
export interface EvidenceFile {
  name: string;
  text: string;
}

export interface Epoch {
  epoch: number;
  why: string;
  began: Moment;
  last: Moment;
  system: string;
  kernel: string;
  boots: number;
  clean_boots: number;
  flags: Flag[];
  /** What replay explain prints about the epoch. */
  rows: Row[];
  /** What replay diff prints from the end of the epoch before to the beginning of this one. */
  diff: Row[];
  evidence: EvidenceFile[];
  /** Why the evidence is missing or incomplete, "" if it is not. */
  evidence_missing: string;
}

export interface Unreadable {
  seq: number;
  last: number;
  reason: string;
}

export interface Report {
  node: string;
  journal: string;
  /** "state root", "journal directory", "export" or "audit bundle" */
  source: string;
  first: Moment;
  last: Moment;
  boots: number;
  ok: boolean;
  verdict: string;
  head: { seq: number; hash: string };
  findings: Finding[];
  covers: string[];
  unjudged: string[];
  flags: FlagSum[];
  epochs: Epoch[];
  unreadable: Unreadable[];

  /** The distinct states, each as lines, one fact a line. */
  states: string[][];
  /** The state after each record as points of change: [seq, index into states, seq, index, …]; index -1 is unknown. */
  state_after: number[];
  /** Why states are unknown, "" if none is. */
  state_unknown: string;
  /** The distinct causes of reconstructions, and where each is in force: [seq, index into causes or -1, …]. */
  causes: string[];
  cause_at: number[];
  /** Records that raise a flag: [seq, index into flags, …]. A record may raise several. */
  flagged: number[];
  /** Runs of the gate and of operators' commands, in order. */
  runs: {
    /** First record of each run. */
    first: number[];
    /** One letter for each: o ended well, f failed, u unfinished, a operator's action, x not known. */
    outcome: string;
    /** Exit code of each failed run, in order. */
    exits: number[];
  };
  /** What happened in each record, in a few words: the distinct texts, and for each line of the records an index into them. */
  texts: string[];
  text_of: number[];
  /** Hashes of records that the next record's prev does not give: the newest one, and those before damage. Keys are seqs. */
  hashes: Record<string, string>;
}

// The records are beside the report, as lines: the exact bytes of each record as journal export writes
// them. Of a record whose bytes are no JSON, the line is a JSON string that quotes them.
