// The search of the page of sites.
import { loginHasEnded } from "./login.js";
import { searchField } from "./search_field.js";
import { updateTimes } from "./times.js";

export function searchSites() {
  const input = document.getElementById("search");
  const form = input?.form;
  if (!form || form.getAttribute("action") !== "/sites") return;
  const main = document.getElementById("main");
  let request = null;

  async function apply() {
    const given = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    const path = given.size ? `/sites?${given}` : "/sites";
    request?.abort();
    if (path === location.pathname + location.search) return;
    const mine = request = new AbortController();
    const answer = await fetch(path, { signal: mine.signal }).catch(() => null);
    if (mine.signal.aborted || loginHasEnded(answer)) return;
    const html = answer?.ok ? await answer.text().catch(() => "") : "";
    if (mine.signal.aborted) return;
    const now = new DOMParser().parseFromString(html, "text/html").getElementById("main");
    document.getElementById("matches").textContent = now ? now.querySelector(".places-head p, .empty p")?.textContent || "" : "";
    if (!now) return location.assign(path);
    history.replaceState({}, "", path);
    main.replaceChildren(...now.children);
    updateTimes(main);
  }

  searchField(input, apply);
}
