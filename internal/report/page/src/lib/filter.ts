// The form of a filter: a search, menus and fields, and its location in the
// address. It knows nothing about what is filtered.
import { append, button, h, on } from "./dom";
import { Facet, type Choice } from "./facet";
import type { Place } from "./place";

export interface Field {
  /** What it is for. */
  label: string;
  /** An example, shown while it is empty. */
  hint: string;
}

export interface FilterOptions {
  /** Names what is filtered. */
  label: string;
  search: Field;
  menus: Record<string, Choice[]>;
  /** A link may choose what the menus do not have. */
  any?: boolean;
  fields?: Record<string, Field>;
  /** The filter was changed in the form. */
  changed: () => void;
}

// The values of a menu are one parameter of the address, with ; between them. None
// is empty.
const join = (values: string[]): string => values.map((v) => v.replace(/[%;]/g, encodeURIComponent)).join(";");
const split = (text: string): string[] => text.split(";").filter((v) => v !== "").map((v) => {
  try {
    return decodeURIComponent(v);
  } catch {
    return v;
  }
});

export class FilterForm {
  readonly element: HTMLFormElement;
  private readonly menus: Record<string, Facet> = {};
  private readonly fields: Record<string, HTMLInputElement> = {};
  private readonly said = h("p", { class: "found", role: "status" });

  constructor(options: FilterOptions) {
    this.element = on(h("form", { class: "filter", role: "search", "aria-label": options.label }), { submit: (e) => e.preventDefault() });
    let wait: ReturnType<typeof setTimeout> | undefined;
    const input = (name: string, { label, hint }: Field, type: string): HTMLInputElement => {
      const field = h("input", { type, name, "aria-label": label, placeholder: hint, autocomplete: "off", spellcheck: "false" });
      field.addEventListener("input", () => {
        clearTimeout(wait);
        wait = setTimeout(options.changed, 150);
      });
      return (this.fields[name] = field);
    };
    append(this.element, input("q", options.search, "search"));
    for (const [name, choices] of Object.entries(options.menus)) this.element.append((this.menus[name] = new Facet(name, choices, options.changed, options.any)).element);
    for (const [name, field] of Object.entries(options.fields ?? {})) {
      this.element.append(h("label", { class: "field" }, h("span", { "aria-hidden": "true" }, name), input(name, field, "text")));
    }
    append(this.element, button("clear all", () => {
      this.place = new Map();
      options.changed();
    }), this.said);
  }

  /** Returns the filter as parameters of the address. */
  get place(): Place {
    return new Map([
      ...Object.entries(this.menus).map(([name, menu]): [string, string] => [name, join(menu.value)]),
      ...Object.entries(this.fields).map(([name, field]): [string, string] => [name, field.value.trim()]),
    ]);
  }

  /** Sets the filter from such parameters: all that they do not name are cleared. */
  set place(place: Place) {
    for (const [name, menu] of Object.entries(this.menus)) menu.value = split(place.get(name) ?? "");
    for (const [name, field] of Object.entries(this.fields)) field.value = place.get(name) ?? "";
  }

  /** Returns what is chosen in a menu. */
  chosen(menu: string): string[] {
    return this.menus[menu]!.value;
  }

  /** Offers other choices in a menu. */
  offer(menu: string, choices: Choice[]): void {
    this.menus[menu]!.choices = choices;
  }

  /** Returns the text of a field; that of the search is q. */
  text(field: string): string {
    return this.fields[field]!.value.trim();
  }

  enter(field: string, text: string): void {
    this.fields[field]!.value = text;
  }

  /** Marks a field whose text is not understood. */
  invalid(field: string, is: boolean): void {
    this.fields[field]!.setAttribute("aria-invalid", String(is));
  }

  /** Says how much was found. A screen reader reads it aloud if it changes. */
  say(text: string): void {
    if (this.said.textContent !== text) this.said.textContent = text;
  }
}
