// A choice of several values, as a small menu of checkboxes.
import { h, on, button } from "./dom";
import { plain } from "./text";

export interface Choice {
  value: string;
  label: string;
  count?: number;
}

export class Facet {
  readonly element: HTMLDetailsElement;
  private readonly summary = h("summary");
  private readonly list: HTMLFieldSetElement;
  private readonly clear: HTMLButtonElement;
  private readonly items = new Map<string, { box: HTMLInputElement; label: HTMLLabelElement; text: string }>();

  /** With any, a value that is no choice can be chosen too, as a link may have it. */
  constructor(private readonly name: string, choices: Choice[], private readonly changed: () => void, private readonly any = false) {
    this.clear = button("clear", () => {
      this.value = [];
      this.changed();
    });
    this.list = h("fieldset", {}, h("legend", { class: "sr" }, name), this.clear);
    this.element = on(h("details", { class: "facet" }, this.summary, this.list), {
      change: () => {
        this.title();
        this.changed();
      },
      // To the left, if there is no room to the right.
      toggle: () => {
        this.element.classList.remove("left");
        this.element.classList.toggle("left", this.list.getBoundingClientRect().right > document.documentElement.clientWidth);
      },
      keydown: (e) => {
        if (e.key !== "Escape" || !this.element.open) return;
        e.preventDefault();
        this.element.open = false;
        this.summary.focus();
      },
    });
    document.addEventListener("pointerdown", (e) => {
      if (!this.element.contains(e.target as Node)) this.element.open = false;
    });
    this.choices = choices;
  }

  /** Offers these choices. A chosen one stays, even if it is not among them. */
  set choices(choices: Choice[]) {
    const chosen = this.value.filter((value) => !choices.some((c) => c.value === value));
    const all = [...choices, ...chosen.map((value): Choice => ({ value, label: this.items.get(value)!.text, count: 0 }))];
    for (const [value, { label }] of this.items) {
      if (all.some((c) => c.value === value)) continue;
      label.remove();
      this.items.delete(value);
    }
    // A box that stays is not moved: it may have the focus.
    let next = this.list.firstElementChild!.nextElementSibling!;
    for (const c of all) {
      const { label } = this.items.get(c.value) ?? this.item(c);
      if (c.count !== undefined) label.lastElementChild!.textContent = c.count.toLocaleString("en");
      if (label === next) next = next.nextElementSibling!;
      else this.list.insertBefore(label, next);
    }
    this.title();
  }

  private item(c: Choice): { label: HTMLLabelElement } {
    const box = h("input", { type: "checkbox", value: c.value });
    const label = h("label", {}, box, h("span", {}, c.label), c.count === undefined ? null : h("span", { class: "count" }, c.count.toLocaleString("en")));
    this.items.set(c.value, { box, label, text: c.label });
    return { label };
  }

  get value(): string[] {
    return [...this.items].filter(([, { box }]) => box.checked).map(([value]) => value);
  }

  /** Chooses these values. */
  set value(values: string[]) {
    if (this.any) for (const value of values) if (!this.items.has(value)) this.clear.before(this.item({ value, label: plain(value).slice(0, 80), count: 0 }).label);
    for (const [value, { box }] of this.items) box.checked = values.includes(value);
    this.title();
  }

  private title(): void {
    const chosen = this.value;
    this.summary.replaceChildren(this.name, h("span", { class: "chosen" }, chosen.length === 0 ? "all" : chosen.length === 1 ? this.items.get(chosen[0]!)!.text : `${chosen.length} chosen`));
    this.element.classList.toggle("set", chosen.length > 0);
  }
}
