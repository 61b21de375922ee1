// The states of a node, the worst first: how each is drawn, what it means, and what
// to do about it.
import { h, type Child } from "../lib/dom";
import { icon, type Shape } from "../lib/shapes";
import { plain } from "../lib/text";

export interface State {
  shape: Shape;
  /** Class of its mark. */
  class: string;
  meaning: string;
  /** What to do, "" if nothing is to be done. */
  next: string;
}

export const states: ReadonlyMap<string, State> = new Map<string, State>([
  ["rewritten", {
    shape: "cross", class: "failed",
    meaning: "The node showed records that differ from those that the hub holds. The hub refused them and keeps both sides.",
    next: "Take the node out of service and keep its disk as it is. Compare both sides of the conflict below: the hub's records show what the node had said before.",
  }],
  ["cloned", {
    shape: "cross", class: "failed",
    meaning: "Two histories under this name diverge, and both go on: two machines use one name and one key.",
    next: "Find both machines and stop one of them. Give it a name, a key and a certificate of its own before it starts again.",
  }],
  ["rolled_back", {
    shape: "cross", class: "failed",
    meaning: "The node showed fewer records than the hub holds: an older copy of its state was put back.",
    next: "Find out who put it back. If a backup was restored on purpose, run edgectl journal continue on the node. If not, treat the node as attacked and keep its disk as it is.",
  }],
  ["wiped", {
    shape: "cross", class: "failed",
    meaning: "The node began a new journal that names none before it: its state was removed, or the node was installed again.",
    next: "Find out who did that, and why. The hub still has the earlier records, under other journals.",
  }],
  ["unsound", {
    shape: "cross", class: "failed",
    meaning: "No gate can have written the node's records, or its new journal makes a false claim about the one before it.",
    next: "Take the node out of service and keep its disk as it is. Open the report: its findings name the records.",
  }],
  ["continued", {
    shape: "diamond", class: "unfinished",
    meaning: "The node continues a journal that edgectl journal continue ended, as after the restore of a backup.",
    next: "Check that one of your operators ran the command: the first record of the new journal has the reason.",
  }],
  ["salvaged", {
    shape: "diamond", class: "unfinished",
    meaning: "The node continues a damaged journal: edgectl journal salvage carried over what could be read.",
    next: "Check the node's disk. The hub has the records that the damaged journal had shipped, under other journals.",
  }],
  ["failing", {
    shape: "triangle", class: "failed",
    meaning: "The gate of the node's newest boot did not exit 0, so edged did not start.",
    next: "Read the reason under newest boot, and the exit code in the operator's guide. Then run edgectl doctor on the node.",
  }],
  ["stuck", {
    shape: "triangle", class: "warning",
    meaning: "A reconstruction is open: the node tries it again at every boot.",
    next: "Read the attempt and the reason under newest boot. Correct the manifest or the system, then boot the node again.",
  }],
  ["never_seen", {
    shape: "ring", class: "unknown",
    meaning: "The inventory names this node, and it has never shipped.",
    next: "Check /etc/edged/ship.yaml, the client certificate and edged-ship.timer on the node. If there is no such node, remove it from the inventory.",
  }],
  ["silent", {
    shape: "half", class: "warning",
    meaning: "The node has not shipped for long.",
    next: "Check that the node runs and reaches the hub. On the node, run edgectl ship: it says what is refused.",
  }],
  ["flagged", {
    shape: "triangle", class: "notice",
    meaning: "The node boots, and replay explain warns about its epoch in force.",
    next: "Read the flags below. If one is not intended, open the report.",
  }],
  ["behind", {
    shape: "half", class: "notice",
    meaning: "The node has not shipped since yesterday, or the hub lacks records of it.",
    next: "Wait for its next boot or its daily run. To send the records now, run edgectl ship on the node.",
  }],
  ["alive", { shape: "dot", class: "operator", meaning: "The node ships and boots, and nothing contradicts its records.", next: "" }],
]);

const unknown: State = {
  shape: "square", class: "unknown",
  meaning: "This page does not know the state.", next: "Load the page again: the hub may have been upgraded.",
};

export const stateOf = (name: string): State => states.get(name) ?? unknown;

/** Returns a state's rank, the worst first. */
export function rank(name: string): number {
  const i = [...states.keys()].indexOf(name);
  return i < 0 ? -1 : i;
}

/** Returns the name in words. */
export const words = (name: string): string => plain(name).slice(0, 40).replaceAll("_", " ");

/** Returns mark and name. */
export function stateMark(name: string): Child {
  const s = stateOf(name);
  return h("span", { class: "chip" }, icon(s.shape, s.class), words(name));
}

const outcomes: Record<string, [Shape, string]> = { passed: ["dot", "operator"], failed: ["cross", "failed"], unfinished: ["half", "unfinished"] };

/** Returns mark and name of a boot's outcome. text is what to say instead of the name. */
export function outcomeMark(outcome: string, text = words(outcome)): Child {
  const [shape, kind] = Object.hasOwn(outcomes, outcome) ? outcomes[outcome]! : (["square", "unknown"] as const);
  return h("span", { class: "chip" }, icon(shape, kind), text);
}
