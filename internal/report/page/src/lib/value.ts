// Parsed JSON of which nothing is known.

export type Data = Record<string, unknown>;

export const isData = (v: unknown): v is Data => typeof v === "object" && v !== null && !Array.isArray(v);

export const textOf = (v: unknown): string => (typeof v === "string" ? v : "");
