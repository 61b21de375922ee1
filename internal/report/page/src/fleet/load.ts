// The request to the hub, and what to do if it is not answered.
import { plain } from "../lib/text";
import { parse, type Fleet } from "./data";

/** How long the hub has for an answer, in milliseconds. */
const patience = 120_000;

/** Asks the hub for the fleet. The error's message is for people, and says what to do. */
export async function load(): Promise<Fleet> {
  let status: number;
  let text: string;
  try {
    const response = await fetch("fleet.json", { cache: "no-cache", signal: AbortSignal.timeout(patience) });
    status = response.status;
    text = await response.text();
  } catch (err) {
    if (err instanceof DOMException && err.name === "TimeoutError") throw new Error("The hub did not answer within two minutes. Check its log and its store.", { cause: err });
    throw new Error("The hub cannot be reached. Check the network, and that edgehub serve runs.", { cause: err });
  }
  if (status !== 200) throw new Error(refusal(status, text));
  try {
    return parse(text);
  } catch (err) {
    throw new Error("The hub's answer cannot be read. Load the page again: the hub may have been upgraded.", { cause: err });
  }
}

function refusal(status: number, text: string): string {
  const said = plain(text.trim()).slice(0, 300);
  const answer = `The hub answers ${status}${said === "" ? "" : ` (${said})`}.`;
  switch (status) {
    case 401:
    case 403: return `${answer} Load the page again with an operator's certificate or token.`;
    case 503: return `${answer} It is starting or cannot read its store: check its log.`;
    default: return `${answer} Check its log.`;
  }
}
