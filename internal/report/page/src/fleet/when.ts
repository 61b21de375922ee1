// Times, as how long ago, with the time in UTC. They are relative to the hub's
// answer: the page's clock may be wrong.
import { h } from "../lib/dom";
import { ago, utc } from "../lib/text";

/** Returns a time as how long ago; exact adds the time in UTC. */
export function when(time: string | null, now: number, exact = true): HTMLElement {
  const ms = time === null ? NaN : Date.parse(time);
  if (Number.isNaN(ms)) return h("span", { class: "none" }, "never");
  return h("time", { datetime: utc(ms), title: utc(ms) }, exact ? [h("span", { class: "ago" }, ago(ms, now)), ", ", utc(ms)] : ago(ms, now));
}

/** Computes again how long ago the exact times below an element are. */
export function renew(element: HTMLElement, now: number): void {
  for (const time of element.querySelectorAll("time")) {
    const relative = time.querySelector(".ago");
    if (relative) relative.textContent = ago(Date.parse(time.dateTime), now);
  }
}
