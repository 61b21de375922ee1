// The page of a hub: asks it for the fleet, and once a minute again.
import { append, button, h } from "../lib/dom";
import { utc } from "../lib/text";
import { themeSwitch } from "../lib/theme";
import { load } from "./load";
import { Page } from "./page";

/** Milliseconds between two requests. */
const minute = 60_000;

/** Asks the hub now and once a minute, and shows its answers. */
function run(main: HTMLElement): void {
  const trouble = h("p", { class: "trouble", role: "status" });
  const said = h("span", { class: "said", role: "status" });
  let page: Page | null = null;
  let asking = false;
  let due = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = "";
  const ask = async (pressed: boolean): Promise<void> => {
    if (asking) return;
    asking = true;
    due = false;
    clearTimeout(timer);
    reload.setAttribute("aria-disabled", "true");
    said.textContent = pressed ? "asking the hub…" : "";
    let problem = "";
    try {
      const fleet = await load();
      page ??= new Page(main);
      page.update(fleet);
      last = utc(Date.parse(fleet.time));
    } catch (err) {
      problem = `${err instanceof Error ? err.message : String(err)} ${page ? `What is shown is of ${last}. ` : ""}The page asks again each minute.`;
    }
    if (trouble.textContent !== problem) trouble.textContent = problem;
    said.textContent = pressed && problem === "" ? "up to date" : "";
    reload.removeAttribute("aria-disabled");
    asking = false;
    timer = setTimeout(() => {
      due = true;
      again();
    }, minute);
  };
  // A page that nobody sees asks nothing, and asks when it is seen again.
  const again = (): void => {
    if (due && document.visibilityState === "visible") void ask(false);
  };
  document.addEventListener("visibilitychange", again);
  const reload = button("reload", () => void ask(true), { id: "reload" });
  append(document.getElementById("tools") ?? main, h("div", { class: "switches" }, said, reload, themeSwitch()));
  main.before(trouble);
  main.append(h("p", { class: "loading" }, "asking the hub…"));
  void ask(false);
}

const main = document.getElementById("page");
if (main) run(main);
