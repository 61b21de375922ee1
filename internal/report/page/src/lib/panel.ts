// Details on demand: beside the content on a wide window, over it on a narrow one.
// A dialog element does both: the browser keeps the focus inside a modal one.
import { append, button, h, type Child } from "./dom";

/** Returns a name and a value for a list of facts. */
export const fact = (name: string, ...value: Child[]): Child => [h("dt", {}, name), h("dd", {}, value)];

export class Panel {
  readonly element = h("dialog", { class: "panel", "aria-labelledby": "panel-title" });
  private readonly narrow = matchMedia("(max-width: 64rem)");
  private readonly heading = h("h2", { id: "panel-title", tabindex: -1 });
  private readonly content = h("div", { class: "panel-content" });

  constructor(private readonly closed: () => void) {
    const close = button("close", () => this.close(), { class: "panel-close" });
    this.element.append(h("header", {}, this.heading, close), this.content);
    this.element.addEventListener("cancel", (e) => {
      e.preventDefault();
      this.close();
    });
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.element.open && !e.defaultPrevented) {
        e.preventDefault();
        this.close();
      }
    });
    this.narrow.addEventListener("change", () => {
      if (this.element.open) this.open();
    });
  }

  /** Shows a title and contents. With focus, the title gets the focus. */
  show(title: Child, content: Child, focus: boolean): void {
    this.heading.replaceChildren();
    append(this.heading, title);
    this.content.replaceChildren();
    append(this.content, content);
    this.content.scrollTop = 0;
    this.open();
    if (focus) this.element.scrollIntoView({ block: "nearest" });
    if (focus || this.narrow.matches) this.heading.focus({ preventScroll: true });
  }

  /** Shows other contents of the same thing: scroll and focus stay. */
  replace(title: Child, content: Child): void {
    const inside = (): HTMLElement[] => [...this.content.querySelectorAll<HTMLElement>("a, button, summary, [tabindex]")];
    const held = inside().findIndex((e) => e === document.activeElement);
    this.heading.replaceChildren();
    append(this.heading, title);
    this.content.replaceChildren();
    append(this.content, content);
    if (held >= 0) (inside()[held] ?? this.heading).focus({ preventScroll: true });
  }

  close(): void {
    if (!this.element.open) return;
    this.element.close();
    this.closed();
  }

  get isOpen(): boolean {
    return this.element.open;
  }

  private open(): void {
    const modal = this.element.matches(":modal");
    if (this.element.open && modal === this.narrow.matches) return;
    this.element.close();
    if (this.narrow.matches) this.element.showModal();
    else {
      // show() moves the focus; a row that is clicked keeps it.
      const held = document.activeElement;
      this.element.show();
      if (held instanceof HTMLElement) held.focus({ preventScroll: true });
    }
  }
}
