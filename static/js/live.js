// Follows this server: what changed is renewed in place, and a lost connection is said.
import { hasEnded, isLetIn } from "./login.js";
import { renewTimes } from "./times.js";

const GATHER = 60;
const PAUSE = 1000;
const EVERY = 30000;
const AGAIN = 3000;
const INSTEAD = { scan: "stop", stop: "scan" };
const FILTERED = /[?&](status|findings|retired|q)=/;
const JOINING = /^device\.(listed|retired|restored|merged|split|unmerged|deleted)$/;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export function followTheHouse(list, detail) {
  const top = document.getElementById("top");
  const stale = document.getElementById("stale");
  const changed = new Set();
  let fresh = Date.now();
  let timer = 0;
  let renewed = 0;
  let wasLost = false;
  let hasNew = false;
  let source = null;
  let newest = "";
  let pause = AGAIN;
  let retry = 0;

  // True when this server has answered.
  async function renewTop() {
    const answer = await fetch(`/parts/top${location.search}`).catch(() => null);
    if (hasEnded(answer, (text) => { stale.textContent = text; say(true); })) return false;
    if (!answer || !answer.ok) return false;
    isLetIn();
    return putTop(await answer.text().catch(() => ""));
  }

  function putTop(html) {
    fresh = Date.now();
    const now = document.createElement("template");
    now.innerHTML = html;
    if (!html) return false;
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
    return true;
  }

  function tell() {
    const count = Number(document.getElementById("wrong")?.dataset.count || 0);
    document.title = document.title.replace(/^(?:\(\d+\) )?/, count ? `(${count}) ` : "");
    const colour = count ? "%23c0392b" : "%232563a8";
    const text = count ? `<text x='16' y='23' font-size='18' font-weight='700' text-anchor='middle' fill='%23fff' font-family='sans-serif'>${count > 99 ? "99" : count}</text>` : "<circle cx='16' cy='17' r='6' fill='none' stroke='%23fff' stroke-width='3'/>";
    document.getElementById("icon").href = `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect x='2' y='5' width='28' height='23' rx='5' fill='${colour}'/>${text}</svg>`;
  }

  // Head and rows come with the events; what is fetched besides them, is at most once a second.
  function later(id) {
    if (id) changed.add(id);
    if (!timer) timer = setTimeout(renew, Math.max(GATHER, renewed + PAUSE - Date.now()));
  }

  function renew() {
    timer = 0;
    renewed = Date.now();
    const ids = [...changed];
    changed.clear();
    list.forget?.();
    const moves = hasNew || (ids.length && FILTERED.test(location.search));
    hasNew = false;
    if (moves) list.reload();
    detail.renew(ids);
    if (source.readyState === EventSource.OPEN) return;
    if (!moves) list.renew(ids);
    renewTop();
  }

  function renewRows() {
    list.forget?.();
    list.renew(list.rows().map((row) => Number(row.dataset.id)));
    detail.renew();
  }

  function renewAll() {
    renewRows();
    return renewTop();
  }

  // What no stream has told: rows may be new too.
  async function catchUp() {
    const isThere = await renewAll();
    if (isThere && list.table) list.reload();
    return isThere;
  }

  function say(isStale) {
    stale.hidden = !isStale;
    document.documentElement.classList.toggle("is-stale", isStale);
  }

  const body = (event) => JSON.parse(event.data);

  function listen() {
    const asked = new URLSearchParams({ page: location.search });
    if (newest) asked.set("after", newest);
    source = new EventSource(`/api/events?${asked}`);
    for (const kind of ["status", "found", "event"]) source.addEventListener(kind, (event) => {
      newest = event.lastEventId || newest;
      const told = body(event);
      if (kind === "found" || JOINING.test(told.kind)) hasNew = true;
      later(told.device);
    });
    source.addEventListener("head", (event) => putTop(body(event).html));
    source.addEventListener("rows", (event) => {
      const { ids, html } = body(event);
      if (html === null) list.renew(ids);
      else list.put(ids, html);
    });
    source.addEventListener("progress", progress);
    source.addEventListener("reset", renewAll);
    source.addEventListener("open", () => {
      say(false);
      isLetIn();
      pause = AGAIN;
      if (wasLost) catchUp();
      wasLost = false;
    });
    source.addEventListener("error", lost);
  }

  function progress(event) {
    const scan = body(event);
    const place = document.getElementById("progress");
    if (scan.finished || !place) return;
    place.innerHTML = "Scanning: <b></b> found";
    place.firstElementChild.textContent = scan.found;
    for (const one of scan.sources) place.append(`, ${one.title} ${one.state}`);
  }

  function lost() {
    // Ended by this server because the login has? Ask at once.
    if (!wasLost && source.readyState === EventSource.CONNECTING) renewTop();
    wasLost = true;
    stale.textContent = `Data from ${clock.format(fresh)}, connection lost. Trying again.`;
    setTimeout(() => source.readyState === EventSource.CONNECTING && say(true), 1500);
    // A line that breaks is mended by the browser; one that was refused it gives up.
    if (source.readyState === EventSource.CLOSED) refused();
  }

  // Logged out, no place left for another reader, or a proxy before a server that starts anew.
  async function refused() {
    retry = setTimeout(listen, pause);
    pause = Math.min(2 * pause, EVERY);
    const isThere = await catchUp();
    if (source.readyState !== EventSource.OPEN) say(!isThere);
  }

  listen();
  addEventListener("pagehide", () => { clearTimeout(retry); source.close(); });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(() => document.hidden || source.readyState !== EventSource.OPEN || renewRows(), EVERY);
  document.addEventListener("renew", renewTop);
  document.addEventListener("edited", (event) => later(event.detail.id));
  document.getElementById("top").addEventListener("click", (event) => {
    if (!event.target.closest("#refresh")) return;
    event.preventDefault();
    location.reload();
  });
  tell();
}
