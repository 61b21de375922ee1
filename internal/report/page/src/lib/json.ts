/**
 * Returns JSON text with line feeds and indents, and every other character as it
 * is: a number keeps its digits, a doubled name its second value.
 */
export function indent(json: string): string {
  let out = "";
  let depth = 0;
  const line = (): string => "\n" + "  ".repeat(Math.min(depth, 100));
  for (let i = 0; i < json.length; i++) {
    const c = json[i]!;
    if (c === '"') {
      let end = i + 1;
      while (end < json.length && json[end] !== '"') end += json[end] === "\\" ? 2 : 1;
      out += json.slice(i, end + 1);
      i = end;
    } else if (c === "{" || c === "[") {
      const close = c === "{" ? "}" : "]";
      if (json[i + 1] === close) {
        out += c + close;
        i++;
      } else {
        depth++;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      depth = Math.max(depth - 1, 0);
      out += line() + c;
    } else if (c === ",") out += c + line();
    else if (c === ":") out += ": ";
    else out += c;
  }
  return out;
}
