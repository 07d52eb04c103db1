// Keeps the page up to date by the event stream, and shows when the connection is lost.
import { loginHasEnded, forgetReload } from "./login.js";
import { whileSeen } from "./streams.js";
import { updateTimes } from "./times.js";

const DEBOUNCE = 60;
const MIN_INTERVAL = 1000;
const REFRESH_EVERY = 30000;
const RETRY_DELAY = 3000;
const COUNTERPART = { scan: "stop", stop: "scan" };
const FILTERED = /[?&](?!sort=|page=|per_page=)\w+=./;
// Typing changes the filter several times a second; the stream follows when it has come to rest.
const FOLLOW_DELAY = 1000;
const JOINING = /^device\.(listed|retired|restored|merged|split|unmerged|deleted)$/;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

// The icon of the page while devices need attention: their number, on red.
function badge(count) {
  const text = `<text x='16' y='22' font-size='${count > 99 ? 14 : 18}' font-weight='700' text-anchor='middle' fill='%23fff' font-family='sans-serif'>${count > 99 ? "99+" : count}</text>`;
  return `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' fill='%23b3261e'/>${text}</svg>`;
}

export function followServer(list, detail) {
  const top = document.getElementById("top");
  const stale = document.getElementById("stale");
  const changed = new Set();
  let freshAt = Date.now();
  let timer = 0;
  let refreshedAt = 0;
  let wasLost = false;
  let hasNewRows = false;
  let source = null;
  let newest = 0;
  let streamedHeads = 0;
  let pause = RETRY_DELAY;
  let retry = 0;
  let isResting = false;

  // True when this server has answered.
  async function refreshHeader() {
    if (list.isBehind) return list.catchUp();
    const filter = list.filter;
    const heads = streamedHeads;
    const answer = await fetch(`/parts/top${filter}`).catch(() => null);
    if (loginHasEnded(answer, (text) => { stale.textContent = text; showStale(true); })) return false;
    if (!answer || !answer.ok) return false;
    forgetReload();
    const html = await answer.text().catch(() => "");
    // A header that the stream brought meanwhile is newer than this late one.
    return filter === list.filter && heads === streamedHeads ? showHeader(html) : true;
  }

  function showHeader(html) {
    freshAt = Date.now();
    const now = document.createElement("template");
    now.innerHTML = html;
    if (!html) return false;
    const parts = [...now.content.children];
    if (parts.length !== top.childElementCount) return showOtherPage(parts.length);
    for (const part of parts) {
      const old = document.getElementById(part.id);
      if (!old) return location.reload();
      if (old.outerHTML === part.outerHTML) continue;
      const focused = old.contains(document.activeElement) && document.activeElement.id;
      const scrolled = old.scrollLeft;
      const open = old.querySelector(":popover-open")?.id;
      old.replaceWith(part);
      part.scrollLeft = scrolled;
      if (open) document.getElementById(open)?.showPopover();
      updateTimes(part);
      if (focused) document.getElementById(document.getElementById(focused) ? focused : COUNTERPART[focused])?.focus();
    }
    updateTitle();
    return true;
  }

  // The first device was added, or the last one removed, and with it that whose details are open.
  function showOtherPage(count) {
    if (count < top.childElementCount) location.assign("/");
    else location.reload();
  }

  function updateTitle() {
    const count = Number(document.getElementById("wrong")?.dataset.count || 0);
    document.title = document.title.replace(/^(?:\(\d+\) )?/, count ? `(${count}) ` : "");
    document.getElementById("icon").href = count ? badge(count) : "/static/icon.svg";
  }

  // Head and rows come with the events; what is fetched besides them, is at most once a second.
  function scheduleRefresh(id) {
    if (id) changed.add(id);
    if (!timer) timer = setTimeout(refresh, Math.max(DEBOUNCE, refreshedAt + MIN_INTERVAL - Date.now()));
  }

  function refresh() {
    timer = 0;
    refreshedAt = Date.now();
    const ids = [...changed];
    changed.clear();
    list.forget?.();
    const moves = hasNewRows || (ids.length && FILTERED.test(list.filter));
    hasNewRows = false;
    if (moves) list.reload();
    detail.renew(ids);
    if (source.readyState === EventSource.OPEN) return;
    if (!moves) list.renew(ids);
    refreshHeader();
  }

  function refreshRows() {
    list.forget?.();
    list.renew(list.rows().map((row) => Number(row.dataset.id)));
    detail.renew();
  }

  function refreshAll() {
    refreshRows();
    return refreshHeader();
  }

  // After a gap in the stream: rows may be new too.
  async function catchUp() {
    if (list.isBehind) return list.catchUp();
    const isThere = await refreshAll();
    if (isThere && list.table) list.reload();
    return isThere;
  }

  function showStale(isStale) {
    stale.hidden = !isStale;
    document.documentElement.classList.toggle("is-stale", isStale);
  }

  // The list has another filter: what the stream still brings belongs to the former one.
  function followFilter() {
    source.close();
    clearTimeout(retry);
    updateTitle();
    if (!isResting) retry = setTimeout(listen, FOLLOW_DELAY);
  }

  const body = (event) => JSON.parse(event.data);

  function listen() {
    const streamed = list.filter;
    const isShown = () => streamed === list.filter;
    const columns = list.table ? `${streamed ? "&" : "?"}columns=${list.table.dataset.columns}` : "";
    // The stream begins where the page ends: what happened meanwhile is sent again.
    newest = Math.max(newest, document.getElementById("split").dataset.newest);
    const parameters = new URLSearchParams({ page: streamed + columns, after: newest });
    source?.close();
    source = new EventSource(`/api/events?${parameters}`);
    for (const kind of ["status", "found", "event"]) source.addEventListener(kind, (event) => {
      newest = Math.max(newest, event.lastEventId);
      const message = body(event);
      if (kind === "found" || JOINING.test(message.kind)) hasNewRows = true;
      scheduleRefresh(message.device);
    });
    source.addEventListener("head", (event) => {
      if (!isShown()) return;
      streamedHeads += 1;
      showHeader(body(event).html);
    });
    source.addEventListener("rows", (event) => {
      const { ids, html } = body(event);
      if (html === null) list.renew(ids);
      else if (isShown()) list.put(ids, html);
    });
    source.addEventListener("progress", progress);
    source.addEventListener("checking", (event) => body(event).checking.length || renewList());
    source.addEventListener("reset", catchUp);
    source.addEventListener("open", () => {
      showStale(false);
      forgetReload();
      pause = RETRY_DELAY;
      if (wasLost || list.isBehind) catchUp();
      wasLost = false;
    });
    source.addEventListener("error", onConnectionLost);
  }

  // Statuses and their reasons are other ones now, and with them the order. What a person has
  // scrolled to stays where it is.
  function renewList() {
    if (list.table?.getBoundingClientRect().top < 0) return refreshRows();
    hasNewRows = true;
    scheduleRefresh();
  }

  function progress(event) {
    const scan = body(event);
    const empty = document.getElementById("no-devices");
    if (empty && (empty.dataset.scan === "running") === Boolean(scan.finished)) return location.reload();
    if (scan.finished) return renewList();
    const place = document.getElementById("progress");
    if (!place) return;
    place.innerHTML = "Scanning: <b></b> found";
    place.firstElementChild.textContent = scan.found;
  }

  function onConnectionLost() {
    // Ended by this server because the login has? Ask at once.
    if (!wasLost && source.readyState === EventSource.CONNECTING) refreshHeader();
    wasLost = true;
    stale.textContent = `Data from ${clock.format(freshAt)}, connection lost. Trying again.`;
    setTimeout(() => source.readyState === EventSource.CONNECTING && showStale(true), 1500);
    // The browser reconnects by itself, but not after a refused request.
    if (source.readyState === EventSource.CLOSED) onRefused();
  }

  // Logged out, no place left for another reader, or a proxy before a server that restarts.
  async function onRefused() {
    retry = setTimeout(listen, pause);
    pause = Math.min(2 * pause, REFRESH_EVERY);
    const isThere = await catchUp();
    if (source.readyState !== EventSource.OPEN) showStale(!isThere);
  }

  // Hidden for a while: only the title and the icon are kept current.
  function rest() {
    isResting = true;
    clearTimeout(retry);
    source.close();
  }

  function wake() {
    isResting = false;
    listen();
    catchUp();
  }

  function keepCurrent() {
    if (isResting) refreshHeader();
    else if (!document.hidden && source.readyState === EventSource.OPEN) refreshRows();
  }

  listen();
  addEventListener("pagehide", () => { clearTimeout(retry); source.close(); });
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  setInterval(keepCurrent, REFRESH_EVERY);
  whileSeen({ rest, wake });
  document.addEventListener("filter", followFilter);
  document.addEventListener("shown", followFilter);
  document.addEventListener("renew", refreshHeader);
  document.addEventListener("edited-many", () => { hasNewRows = true; scheduleRefresh(); });
  document.addEventListener("edited", (event) => scheduleRefresh(event.detail.id));
  updateTitle();
}
