// The choice of colours: as the system, light or dark. Nothing is stored: a page
// opened from a file shares its storage with other files.
import { h } from "./dom";

export function themeSwitch(): HTMLElement {
  const select = h("select", { id: "theme" }, ...["as the system", "light", "dark"].map((name) => h("option", { value: name }, name)));
  select.addEventListener("change", () => {
    const root = document.documentElement;
    if (select.selectedIndex === 0) delete root.dataset["theme"];
    else root.dataset["theme"] = select.value;
  });
  return h("label", { class: "theme" }, "colours ", select);
}
