// The meaning of a record's data in a few words, as edgectl journal log prints it
// (words of internal/display).

export type Data = Record<string, unknown>;

export const isData = (v: unknown): v is Data => typeof v === "object" && v !== null && !Array.isArray(v);

const text = (v: unknown): string => (typeof v === "string" ? v : typeof v === "number" || typeof v === "boolean" ? String(v) : "");
const short = (v: unknown): string => text(v).slice(0, 12);
const number = (v: unknown): number => (typeof v === "number" ? v : 0);
const plural = (n: unknown, what: string): string => `${text(n)} ${what}${n === 1 ? "" : "s"}`;
const by = (d: Data): string => (text(d["by"]) === "" ? text(d["reason"]) : `${text(d["by"])}: ${text(d["reason"])}`);
const second = (v: unknown): string => text(v).replace(/\.\d+(?=Z)/, "");

function lasted(ms: number): string {
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}

const kinds: Record<string, (d: Data) => string> = {
  FingerprintCaptured: (d) => `${text(d["role"])} ${short(d["composite_hash"])}`,
  UpdateDetected: (d) => {
    const changed = Array.isArray(d["changed"]) ? d["changed"].map(text).join(", ") : "";
    return text(d["cause"]) + (number(d["attempt"]) > 1 ? ` attempt ${text(d["attempt"])}` : "") + (changed ? `: ${changed}` : "");
  },
  ManifestVerified: (d) => plural(d["operations"], "operation") + (typeof d["serial"] === "number" ? `, serial ${d["serial"]}` : "") + `, key ${short(d["key_blake3"])}`,
  OpApplied: (d) => `#${text(d["index"])} ${text(d["dst"])}${d["already_in_place"] === true ? " (in place)" : ""}`,
  EpochRotated: (d) => `epoch ${text(d["boot_epoch"])} in ${lasted(number(d["duration_ms"]))}`,
  PrecheckFailed: (d) => `exit ${text(d["exit_code"])} at ${text(d["stage"])}: ${text(d["reason"]).replace(/^precheck: /, "")}`,
  UpdateAbandoned: (d) => `update #${text(d["update_seq"])}: ${text(d["reason"])}`,
  LegacyStateAdopted: (d) => `epoch ${text(d["boot_epoch"])}, ${short(d["composite_hash"])}`,
  SnapshotTaken: (d) => `of ${text(d["of"])}: ${short(d["blake3"])}`,
  ProjectionRepaired: (d) => `${text(d["reason"])}: ${text(d["path"])}`,
  HeadRebuilt: (d) => `at ${text(d["seq"])}: ${text(d["found"])}`,
  CertificateRotated: (d) => `valid to ${second(d["not_after"])}`,
  DrillRequested: by,
  DrillCancelled: by,
  KeyRotated: (d) => `${text(d["purpose"])} ${short(d["old_key"])} -> ${short(d["new_key"])}`,
  KeyReplaced: (d) => `${text(d["purpose"])} -> ${short(d["new_key"])}, ${by(d)}`,
  ClockReset: (d) => `to ${second(d["new"])}, ${by(d)}`,
  NodeRenamed: (d) => `${text(d["old"])} -> ${text(d["new"])}, ${by(d)}`,
  JournalSalvaged: (d) => `from ${text(d["predecessor"])}, ${plural(d["size"], "record")} kept: ${text(d["lost"])}`,
};

/** Returns the words for a record's data. */
export function words(type: string, data: unknown): string {
  const of = Object.hasOwn(kinds, type) ? kinds[type] : undefined;
  if (!of) return "a kind that this version does not know";
  return isData(data) ? of(data) : "not understood";
}

/** Returns what to do next, "" if the record does not say. */
export const next = (data: unknown): string => (isData(data) ? text(data["next"]) : "");
