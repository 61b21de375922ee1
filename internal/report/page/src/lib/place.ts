// The location in a page, as parameters after #: it can be mailed.

export type Place = Map<string, string>;

/** Returns the parameters of the address. A broken one is ignored. */
export function readPlace(): Place {
  return new Map(new URLSearchParams(location.hash.slice(1)));
}

/** Writes the parameters that are not empty. With step, Back returns to the ones before. */
export function writePlace(place: Place, step: boolean): void {
  const params = new URLSearchParams([...place].filter(([, value]) => value !== ""));
  // Characters that are harmless in a fragment stay legible.
  const hash = "#" + params.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%3B/g, ";");
  if (hash === (location.hash || "#")) return;
  if (step) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}
