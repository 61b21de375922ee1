// Elements without markup: a text becomes a text node, and nothing else. The
// page's policy (Trusted Types) refuses any other way.

export type Child = Node | string | number | null | undefined | Child[];
type Value = string | number | boolean | null | undefined;
type Handlers = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
export type Props = Record<string, Value> & { on?: never };

export function append(parent: Node, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined) continue;
    if (Array.isArray(child)) append(parent, ...child);
    else parent.appendChild(typeof child === "object" ? child : document.createTextNode(String(child)));
  }
}

function attributes(element: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Returns an element with attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  attributes(element, props);
  append(element, ...children);
  return element;
}

/** Returns an SVG element with attributes and children. */
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  attributes(element, props);
  append(element, ...children);
  return element;
}

/** Adds listeners, and returns the element. */
export function on<E extends HTMLElement>(element: E, handlers: Handlers): E {
  for (const [name, handler] of Object.entries(handlers)) element.addEventListener(name, handler as EventListener);
  return element;
}

export function button(label: Child, press: () => void, props: Props = {}): HTMLButtonElement {
  return on(h("button", { type: "button", ...props }, label), { click: press });
}

/** Returns fn, called at most once a frame. */
export function eachFrame(fn: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      fn();
    });
  };
}
