// Follows the house: what changed is renewed in place, and a lost connection is said.
import { renewTimes } from "./times.js";

const GATHER = 60;
const EVERY = 30000;
const INSTEAD = { scan: "stop", stop: "scan" };
const FILTERED = /[?&](status|findings|retired|q)=/;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export function followTheHouse(list, detail) {
  const top = document.getElementById("top");
  const stale = document.getElementById("stale");
  const changed = new Set();
  let fresh = Date.now();
  let timer = 0;
  let wasLost = false;
  let hasNew = false;

  async function renewTop() {
    const answer = await fetch(`/parts/top${location.search}`).catch(() => null);
    if (!answer || !answer.ok) return;
    const now = document.createElement("template");
    now.innerHTML = await answer.text().catch(() => "");
    if (!now.innerHTML) return;
    const parts = [...now.content.children];
    if (parts.length !== top.childElementCount) return location.reload();
    for (const part of parts) {
      const old = document.getElementById(part.id);
      if (!old) return location.reload();
      if (old.outerHTML === part.outerHTML || old.contains(document.activeElement) && document.activeElement.id === "search") continue;
      const focused = old.contains(document.activeElement) && document.activeElement.id;
      old.replaceWith(part);
      renewTimes(part);
      if (focused) document.getElementById(document.getElementById(focused) ? focused : INSTEAD[focused])?.focus();
    }
    tell();
    fresh = Date.now();
  }

  function tell() {
    const count = Number(document.getElementById("wrong")?.dataset.count || 0);
    document.title = document.title.replace(/^(?:\(\d+\) )?/, count ? `(${count}) ` : "");
    const colour = count ? "%23c0392b" : "%232563a8";
    const text = count ? `<text x='16' y='23' font-size='18' font-weight='700' text-anchor='middle' fill='%23fff' font-family='sans-serif'>${count > 99 ? "99" : count}</text>` : "<circle cx='16' cy='17' r='6' fill='none' stroke='%23fff' stroke-width='3'/>";
    document.getElementById("icon").href = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect x='2' y='5' width='28' height='23' rx='5' fill='${colour}'/>${text}</svg>`;
  }

  function later(id) {
    if (id) changed.add(id);
    if (!timer) timer = setTimeout(renew, GATHER);
  }

  async function renew() {
    timer = 0;
    const ids = [...changed];
    changed.clear();
    list.forget?.();
    const moves = hasNew || (ids.length && FILTERED.test(location.search));
    hasNew = false;
    await Promise.all([moves ? list.reload() : list.renew(ids), renewTop(), detail.renew(ids)]);
  }

  function renewAll() {
    list.forget?.();
    list.renew(list.rows().map((row) => Number(row.dataset.id)));
    renewTop();
    detail.renew();
  }

  const source = new EventSource("/api/events");
  const body = (event) => JSON.parse(event.data);
  source.addEventListener("found", () => { hasNew = true; });
  for (const kind of ["status", "found", "event"]) source.addEventListener(kind, (event) => later(body(event).device));
  source.addEventListener("progress", (event) => {
    const scan = body(event);
    const place = document.getElementById("progress");
    if (scan.finished || !place) return later();
    place.innerHTML = "Scanning: <b></b> found";
    place.firstElementChild.textContent = scan.found;
    for (const one of scan.sources) place.append(`, ${one.title} ${one.state}`);
  });
  source.addEventListener("reset", renewAll);
  source.addEventListener("open", () => {
    stale.hidden = true;
    document.documentElement.classList.remove("is-stale");
    if (wasLost) renewAll();
    wasLost = false;
  });
  source.addEventListener("error", () => {
    wasLost = true;
    stale.textContent = `Data from ${clock.format(fresh)}, connection lost. Trying again.`;
    setTimeout(() => {
      if (source.readyState === EventSource.OPEN) return;
      stale.hidden = false;
      document.documentElement.classList.add("is-stale");
    }, 1500);
  });
  addEventListener("pagehide", () => source.close());
  setInterval(() => document.hidden || source.readyState !== EventSource.OPEN || renewAll(), EVERY);
  document.addEventListener("renew", () => later());
  document.addEventListener("edited", (event) => later(event.detail.id));
  document.getElementById("top").addEventListener("click", (event) => {
    if (!event.target.closest("#refresh")) return;
    event.preventDefault();
    location.reload();
  });
  tell();
}
