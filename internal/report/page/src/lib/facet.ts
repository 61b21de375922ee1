// A choice of several values, as a small menu of checkboxes.
import { append, h, on, button } from "./dom";

export interface Choice {
  value: string;
  label: string;
  count?: number;
}

export class Facet {
  readonly element: HTMLDetailsElement;
  private readonly summary = h("summary");
  private readonly boxes = new Map<string, HTMLInputElement>();

  constructor(private readonly name: string, choices: Choice[], private readonly changed: () => void) {
    const list = h("fieldset", {}, h("legend", { class: "sr" }, name));
    for (const c of choices) {
      const box = h("input", { type: "checkbox", value: c.value });
      this.boxes.set(c.value, box);
      const label = h("label", {}, box, h("span", {}, c.label));
      if (c.count !== undefined) append(label, h("span", { class: "count" }, c.count.toLocaleString("en")));
      list.append(label);
    }
    list.append(button("clear", () => {
      this.value = [];
      this.changed();
    }));
    this.element = on(h("details", { class: "facet" }, this.summary, list), {
      change: () => {
        this.title();
        this.changed();
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
    this.title();
  }

  get value(): string[] {
    return [...this.boxes].filter(([, box]) => box.checked).map(([value]) => value);
  }

  /** Chooses these values; those that are no choice are left out. */
  set value(values: string[]) {
    for (const [value, box] of this.boxes) box.checked = values.includes(value);
    this.title();
  }

  private title(): void {
    const chosen = this.value;
    this.summary.replaceChildren(this.name, h("span", { class: "chosen" }, chosen.length === 0 ? "all" : chosen.length === 1 ? chosen[0]! : `${chosen.length} chosen`));
    this.element.classList.toggle("set", chosen.length > 0);
  }
}
