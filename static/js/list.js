// The table as a window on the whole list: rows come from the server as they are scrolled to.
import { loginHasEnded } from "./login.js";
import { updateTimes } from "./times.js";
import { toast } from "./toast.js";

const CHUNK = 25;
const MAX_CHUNKS = 60;
// Fast scrolling passes hundreds of chunks: those in sight must not wait behind them.
const MAX_PARALLEL = 2;
const LOAD_EVERY = 50;
const NAMES_AGE = 20000;

export function rowsOf(html) {
  const table = document.createElement("template");
  table.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return [...table.content.querySelectorAll("tr")];
}

// The filter of the list in a query string, without what belongs to the details alone.
export function listSearch(search) {
  const parameters = new URLSearchParams(search);
  for (const key of ["events", "before", "undo", "added", "checked"]) parameters.delete(key);
  return parameters.size ? `?${parameters}` : "";
}

// The parameters for rows of the list that is shown, which another one in the URL may be about to
// replace.
function queryOf(list) {
  const parameters = new URLSearchParams(list.search);
  for (const key of ["page", "per_page", "undo", "added", "checked"]) parameters.delete(key);
  const columns = document.getElementById("fleet")?.dataset.columns;
  if (columns) parameters.set("columns", columns);
  return parameters;
}

function body(rows) {
  const part = document.createElement("tbody");
  part.append(...rows);
  return part;
}

function gap() {
  const part = document.createElement("tbody");
  part.className = "filler";
  part.innerHTML = '<tr class="gap" aria-hidden="true"><td></td></tr>';
  return part;
}

// Rows that are not here yet, with their names where these are known.
function ghosts(from, to, names, search) {
  const part = document.createElement("tbody");
  part.className = "filler";
  for (let at = from; at < to; at++) {
    const row = part.insertRow();
    row.className = "ghost";
    const [first, second] = [row.insertCell(), row.insertCell()];
    first.className = "c-status";
    second.className = "c-name";
    const [id, name, title, status] = names[at] || [];
    if (!id) {
      second.append(document.createElement("i"));
      continue;
    }
    const label = document.createElement("span");
    label.className = `badge ${status}`;
    label.textContent = title;
    const link = document.createElement("a");
    link.href = `/cameras/${id}${search}`;
    link.dataset.open = id;
    link.textContent = name;
    first.append(label);
    second.append(link);
  }
  return part;
}

function setHeight(part, rows, height) {
  part.hidden = rows === 0;
  part.firstElementChild.firstElementChild.style.height = `${rows * height}px`;
}

// The number of rows that the whole list has, wherever the page shows it.
function setTotal(table, total) {
  const text = `${total} ${total === 1 ? table.dataset.one : table.dataset.many}`;
  table.dataset.total = total;
  table.setAttribute("aria-rowcount", total + 1);
  for (const place of document.querySelectorAll("[data-counted]")) place.textContent = text;
  const all = document.getElementById("pick-all");
  if (!all) return;
  all.value = total;
  all.ariaLabel = `Select all ${text}`;
}

const totalIn = (answer) => Number(answer.headers.get("X-Total-Count"));

// Numbers, names and statuses of the whole list in its order; null when they cannot be loaded.
async function namesOf(list) {
  const answer = await fetch(`/parts/names?${queryOf(list)}`, { signal: list.signal }).catch(() => null);
  return answer?.ok ? answer.json().catch(() => null) : null;
}

// Rows may have joined or left the list.
const announceMoves = () => document.dispatchEvent(new CustomEvent("moves"));

// The list of the table, which is null for an empty one, for this query string. `load` shows the page again where the
// rows alone do not do: it became empty, or it has another number of pages.
export function virtualList(table, load, search) {
  const stopped = new AbortController();
  const list = {
    table,
    load,
    search,
    signal: stopped.signal,
    stop: () => stopped.abort(),
    rows: () => (table ? [...table.querySelectorAll("tr[data-id]")] : []),
    renew: refreshRows,
    put: replaceRows,
    names: () => namesOf(list),
    show: (at) => list.rows()[at]?.scrollIntoView({ block: "nearest" }),
    reload: load,
  };
  if (!table) return list;
  const isPaged = table.dataset.paged === "true";
  if (!isPaged && Number(table.dataset.total) > table.tBodies[0].rows.length) openWindow(list);
  else {
    // A list that has become a window while rows were on their way is renewed as a window.
    const merge = oneAtATime(() => (list.reload === merge ? mergeRows(list, isPaged) : list.reload()));
    list.reload = merge;
  }
  return list;
}

// Calls while `act` runs make it run once more after that.
function oneAtATime(act) {
  let isRunning = false;
  let isDue = false;
  return async () => {
    isDue = true;
    if (isRunning) return;
    isRunning = true;
    while (isDue) {
      isDue = false;
      await act();
    }
    isRunning = false;
  };
}

// From here on the table has only the rows around the window.
function openWindow(list) {
  const { table, signal } = list;
  const first = [...table.tBodies[0].rows];
  const total = () => Number(table.dataset.total);
  const chunks = new Map();
  const outlines = new Map();
  const loading = new Set();
  const outdated = new Set();
  const before = gap();
  const after = gap();
  let names = [];
  let namedAt = -NAMES_AGE;
  let height = first[0].offsetHeight || 36;
  let shown = "";
  let timer = 0;
  let passed = scrollY;
  // The page begins with the row of the open device, where that is not among the first.
  const start = Number(table.dataset.first) / CHUNK;
  for (let i = 0; i * CHUNK < first.length; i++) chunks.set(start + i, body(first.slice(i * CHUNK, (i + 1) * CHUNK)));
  table.tBodies[0].remove();
  table.append(before, after);
  document.getElementById("pages")?.remove();

  function needed() {
    const seen = table.getBoundingClientRect();
    const last = Math.max(0, Math.ceil(total() / CHUNK) - 1);
    const rows = Math.max(0, -seen.top / height - 8);
    const from = Math.min(Math.floor(rows / CHUNK), last);
    const to = Math.min(Math.floor((rows + innerHeight / height + 16) / CHUNK), last);
    return [from, Math.max(from, to), last];
  }

  function outline(i) {
    if (!outlines.has(i)) outlines.set(i, ghosts(i * CHUNK, Math.min(total(), (i + 1) * CHUNK), names, listSearch(list.search)));
    return outlines.get(i);
  }

  // The window is never empty: what is not here yet is there by its name, and so is one chunk more
  // at either end, which a fast finger reaches before the next frame.
  function render(force) {
    if (!table.offsetHeight) return;
    const [from, to, last] = needed();
    const begin = Math.max(0, from - 1);
    const end = Math.min(last, to + 1);
    const wanted = [];
    for (let i = begin; i <= end; i++) wanted.push(i >= from && i <= to && chunks.has(i) ? chunks.get(i) : outline(i));
    if (wanted.some((part) => part.rows[0]?.className === "ghost")) scheduleLoad();
    const name = `${begin}-${end}`;
    if (name === shown && !force && wanted.every((part) => part.isConnected)) return;
    shown = name;
    for (const part of [...table.tBodies]) if (part !== before && part !== after && !wanted.includes(part)) part.remove();
    let at = before;
    for (const part of wanted) {
      if (at.nextSibling !== part) at.after(part);
      at = part;
    }
    for (const i of [...outlines.keys()]) if (i < begin || i > end) outlines.delete(i);
    setHeight(before, begin * CHUNK, height);
    setHeight(after, Math.max(0, total() - (end + 1) * CHUNK), height);
    document.dispatchEvent(new CustomEvent("rows"));
  }

  function scheduleLoad() {
    timer ||= setTimeout(loadNeeded, LOAD_EVERY);
  }

  // While chunks fly by, none of them is fetched: only where the scrolling slows down.
  function loadNeeded() {
    timer = 0;
    const isFast = Math.abs(scrollY - passed) > innerHeight;
    passed = scrollY;
    const [from, to] = needed();
    const missing = [];
    for (let i = from; i <= to; i++) if (!chunks.has(i)) missing.push(i);
    if (missing.length && performance.now() - namedAt > NAMES_AGE) loadNames();
    if (isFast) return scheduleLoad();
    for (const i of missing) if (loading.size < MAX_PARALLEL) load(i);
  }

  async function loadNames() {
    namedAt = performance.now();
    const loaded = await list.names();
    if (!loaded || signal.aborted) return;
    names = loaded;
    outlines.clear();
    render(true);
  }

  // What was shown of rows that were not here yet ends where the list ended.
  function follow(now) {
    if (now === total()) return;
    setTotal(table, now);
    outlines.clear();
    namedAt = -NAMES_AGE;
  }

  async function load(i) {
    if (loading.has(i)) return;
    loading.add(i);
    const wanted = queryOf(list);
    wanted.set("offset", i * CHUNK);
    wanted.set("limit", CHUNK);
    try {
      const answer = await fetch(`/parts/rows?${wanted}`, { signal }).catch(() => null);
      if (signal.aborted || loginHasEnded(answer)) return;
      if (!answer || !answer.ok) return answer && toast("These rows could not be loaded", "Try again", async () => render(true));
      const html = await answer.text().catch(() => null);
      if (html === null || signal.aborted) return;
      follow(totalIn(answer));
      if (!total()) return list.load();
      const rows = rowsOf(html);
      if (rows.length) chunks.set(i, body(rows));
      else chunks.delete(i);
      if (rows.length) updateTimes(chunks.get(i));
      if (chunks.size > MAX_CHUNKS) for (const old of [...chunks.keys()]) if (Math.abs(old - i) > MAX_CHUNKS / 3) chunks.delete(old);
      loading.delete(i);
      render(true);
      loadNeeded();
    } finally {
      loading.delete(i);
      if (outdated.delete(i) && !signal.aborted) load(i);
    }
  }

  let waiting = false;
  const scheduleRender = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; render(); });
  };
  addEventListener("scroll", scheduleRender, { passive: true, signal });
  addEventListener("resize", () => {
    height = table.querySelector("tr[data-id]")?.offsetHeight || height;
    render(true);
  }, { signal });
  // A page that nobody touches fetches nothing; a hand on it may scroll the next moment.
  const prepare = () => performance.now() - namedAt > NAMES_AGE && loadNames();
  for (const sign of ["pointermove", "touchstart", "wheel", "keydown", "scroll"]) addEventListener(sign, prepare, { once: true, passive: true, signal });
  signal.addEventListener("abort", () => clearTimeout(timer));

  // Scroll to a row, which need not be loaded; not at all when it is in sight.
  list.show = (at) => {
    if (!table.offsetHeight) return;
    height = table.querySelector("tr[data-id]")?.offsetHeight || height;
    if (!shown) setHeight(before, total(), height);
    const top = table.getBoundingClientRect().top + table.tHead.offsetHeight + at * height;
    if (top < 90 || top + height > innerHeight) scrollBy(0, top - innerHeight / 2);
    render(true);
  };
  if (start) list.show(start * CHUNK + first.length / 2);
  else render(true);
  // Rows that are out of sight are fetched again when they come back; those on their way are, too.
  list.reload = () => {
    announceMoves();
    loading.forEach((i) => outdated.add(i));
    for (const [i, part] of chunks) {
      if (part.isConnected) load(i);
      else chunks.delete(i);
    }
  };
  list.forget = () => { for (const [i, part] of chunks) if (!part.isConnected) chunks.delete(i); };
}

// Refresh a short list or one of its pages: rows that are there stay the same elements, new ones
// join them. A short list that has become a long one goes on as a window.
async function mergeRows(list, isPaged) {
  const { table, signal } = list;
  const { first, limit } = table.dataset;
  const wanted = queryOf(list);
  wanted.set("offset", first);
  wanted.set("limit", limit);
  const answer = await fetch(`/parts/rows?${wanted}`, { signal }).catch(() => null);
  const html = answer?.ok && !loginHasEnded(answer) ? await answer.text().catch(() => null) : null;
  if (html === null || signal.aborted) return;
  const pages = (number) => isPaged && Math.ceil(number / limit);
  const [before, total] = [Number(table.dataset.total), totalIn(answer)];
  setTotal(table, total);
  if (!total || pages(total) !== pages(before)) return list.load();
  const rows = rowsOf(html).map((row) => {
    const old = table.querySelector(`tr[data-id="${row.dataset.id}"]`);
    return old && old.innerHTML === row.innerHTML ? old : row;
  });
  table.tBodies[0].replaceChildren(...rows);
  updateTimes(table);
  if (!isPaged && total > rows.length) openWindow(list);
  announceMoves();
  document.dispatchEvent(new CustomEvent("rows"));
}

// Rows that changed, in place: nothing moves.
async function refreshRows(ids) {
  const shown = ids.filter((id) => document.querySelector(`tr[data-id="${id}"]`));
  if (!shown.length) return;
  const wanted = queryOf(this);
  wanted.set("ids", shown.slice(0, 200).join());
  const answer = await fetch(`/parts/rows?${wanted}`).catch(() => null);
  if (!answer || !answer.ok) return;
  this.put(shown.slice(0, 200), await answer.text());
}

// The rows of these devices as they are now, where they are shown; one that left the list by its
// change is not among them.
function replaceRows(ids, html) {
  const shown = ids.filter((id) => document.querySelector(`tr[data-id="${id}"]`));
  if (!shown.length) return;
  const rows = rowsOf(html);
  const there = new Set(rows.map((row) => Number(row.dataset.id)));
  if (shown.some((id) => !there.has(id))) return this.reload();
  for (const row of rows) {
    const old = document.querySelector(`tr[data-id="${row.dataset.id}"]`);
    if (!old || old.innerHTML === row.innerHTML) continue;
    const has = old.contains(document.activeElement);
    row.className = old.className;
    const isNew = old.querySelector(".badge")?.textContent !== row.querySelector(".badge")?.textContent;
    old.replaceWith(row);
    updateTimes(row);
    if (isNew) row.classList.add("is-new");
    if (has) row.querySelector("a").focus();
  }
  document.dispatchEvent(new CustomEvent("rows"));
}
