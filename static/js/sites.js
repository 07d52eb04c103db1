// The search of the page of sites, while typing. Without this its form leads to the same page.
import { loginHasEnded } from "./login.js";
import { updateTimes } from "./times.js";

const DELAY = 200;

export function searchSites() {
  const input = document.getElementById("search");
  const form = input?.form;
  if (!form || form.getAttribute("action") !== "/sites") return;
  const main = document.getElementById("main");
  let timer = 0;
  let request = null;

  async function apply() {
    clearTimeout(timer);
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

  function clear() {
    input.value = "";
    apply();
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, DELAY);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    if (input.value) clear();
    else input.blur();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  form.querySelector(".clear").addEventListener("click", (event) => {
    event.preventDefault();
    clear();
    input.focus();
  });
}
