// Shapes of marks: each differs by form, so that none depends on its colour.
import { svg } from "./dom";

export type Shape = "dot" | "ring" | "cross" | "half" | "diamond" | "triangle" | "square";

/** Returns the path of a shape around a point, about 10 pixels wide. */
export function path(shape: Shape, x: number, y: number): string {
  const at = `M${x.toFixed(1)} ${y.toFixed(1)}`;
  switch (shape) {
    case "dot": return `${at}m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z`;
    case "ring": return `${at}m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0zm2 0a2.5 2.5 0 1 1 5 0a2.5 2.5 0 1 1 -5 0z`;
    case "cross": return `${at}m-5 -3.4l1.6 -1.6l3.4 3.4l3.4 -3.4l1.6 1.6l-3.4 3.4l3.4 3.4l-1.6 1.6l-3.4 -3.4l-3.4 3.4l-1.6 -1.6l3.4 -3.4z`;
    case "half": return `${at}m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0zm5 -3.4a3.4 3.4 0 1 1 0 6.8z`;
    case "diamond": return `${at}m0 -5.2l5.2 5.2l-5.2 5.2l-5.2 -5.2z`;
    case "triangle": return `${at}m0 -5.4l5.8 10h-11.6z`;
    case "square": return `${at}m-4 -4h8v8h-8z`;
  }
}

/** Returns a shape beside a text. The text says the same. */
export function icon(shape: Shape, kind: string): SVGSVGElement {
  return svg("svg", { class: `icon ${kind}`, viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true", focusable: "false" },
    svg("path", { d: path(shape, 0, 0), "fill-rule": "evenodd" }));
}

/** Returns the shape of a warning, or of a notice. */
export const severity = (of: string): SVGSVGElement => (of === "warning" ? icon("triangle", "warning") : icon("ring", "notice"));
