// The table as a window on the whole list: rows come from the server as they are scrolled to.
import { loginHasEnded } from "./login.js";
import { updateTimes } from "./times.js";
import { toast } from "./toast.js";

const CHUNK = 25;
const MAX_CHUNKS = 60;
// Fast scrolling passes hundreds of chunks: those in sight must not wait behind them.
const MAX_PARALLEL = 2;

export function rowsOf(html) {
  const table = document.createElement("template");
  table.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return [...table.content.querySelectorAll("tr")];
}

function query() {
  const parameters = new URLSearchParams(location.search);
  for (const key of ["page", "per_page", "undo"]) parameters.delete(key);
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
  part.innerHTML = '<tr class="gap" aria-hidden="true"><td></td></tr>';
  return part;
}

function setHeight(part, rows, height) {
  part.hidden = rows === 0;
  part.firstElementChild.firstElementChild.style.height = `${rows * height}px`;
}

export function virtualList(table) {
  const stopped = new AbortController();
  const { signal } = stopped;
  const list = {
    table,
    stop: () => stopped.abort(),
    rows: () => (table ? [...table.querySelectorAll("tr[data-id]")] : []),
    renew: refreshRows,
    put: replaceRows,
    reload: () => (table ? mergeRows(table) : location.reload()),
  };
  if (!table) return list;
  let total = Number(table.dataset.total);
  const first = [...table.tBodies[0].rows];
  if (table.dataset.paged === "true" || total <= first.length) return list;

  const chunks = new Map();
  const loading = new Set();
  const before = gap();
  const after = gap();
  let height = first[0].offsetHeight;
  let shown = "";
  for (let i = 0; i * CHUNK < first.length; i++) chunks.set(i, body(first.slice(i * CHUNK, (i + 1) * CHUNK)));
  table.tBodies[0].remove();
  table.append(before, after);
  document.getElementById("pages")?.remove();

  function needed() {
    const seen = table.getBoundingClientRect();
    const rows = Math.max(0, -seen.top / height - 8);
    const from = Math.min(Math.floor(rows / CHUNK), Math.ceil(total / CHUNK) - 1);
    const to = Math.min(Math.floor((rows + innerHeight / height + 16) / CHUNK), Math.ceil(total / CHUNK) - 1);
    return [Math.max(0, from), to];
  }

  function render(force) {
    const [from, to] = needed();
    for (let i = from; i <= to && loading.size < MAX_PARALLEL; i++) if (!chunks.has(i)) load(i);
    // The first unbroken run of chunks that are here; the gaps keep the place of the others.
    let begin = from;
    while (begin <= to && !chunks.has(begin)) begin++;
    let end = begin;
    while (end <= to && chunks.has(end)) end++;
    if (begin === end) begin = end = from;
    const name = `${begin}-${end}`;
    if (name === shown && !force) return;
    shown = name;
    const wanted = [];
    for (let i = begin; i < end; i++) wanted.push(chunks.get(i));
    for (const part of [...table.tBodies]) if (part !== before && part !== after && !wanted.includes(part)) part.remove();
    let at = before;
    for (const part of wanted) {
      if (at.nextSibling !== part) at.after(part);
      at = part;
    }
    setHeight(before, begin * CHUNK, height);
    setHeight(after, Math.max(0, total - end * CHUNK), height);
    document.dispatchEvent(new CustomEvent("rows"));
  }

  async function load(i) {
    if (loading.has(i)) return;
    loading.add(i);
    const wanted = query();
    wanted.set("offset", i * CHUNK);
    wanted.set("limit", CHUNK);
    try {
      const answer = await fetch(`/parts/rows?${wanted}`, { signal }).catch(() => null);
      if (signal.aborted || loginHasEnded(answer)) return;
      if (!answer || !answer.ok) return answer && toast("These rows could not be loaded", "Try again", async () => render(true));
      total = Number(answer.headers.get("X-Total-Count")) || total;
      const rows = rowsOf(await answer.text());
      if (!rows.length || signal.aborted) return;
      chunks.set(i, body(rows));
      updateTimes(chunks.get(i));
      if (chunks.size > MAX_CHUNKS) for (const old of [...chunks.keys()]) if (Math.abs(old - i) > MAX_CHUNKS / 3) chunks.delete(old);
      loading.delete(i);
      render(true);
    } finally {
      loading.delete(i);
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
  render(true);
  // Rows that are out of sight are fetched again when they come back.
  list.reload = () => {
    for (const [i, part] of chunks) {
      if (part.isConnected) load(i);
      else chunks.delete(i);
    }
  };
  list.forget = () => { for (const [i, part] of chunks) if (!part.isConnected) chunks.delete(i); };
  return list;
}

// Refresh a short list: rows that are there stay the same elements, new ones join them.
async function mergeRows(table) {
  if (table.dataset.paged === "true") return;
  const answer = await fetch(`/parts/rows?${query()}`).catch(() => null);
  if (!answer || !answer.ok) return;
  const html = await answer.text();
  if (!table.isConnected) return;
  const rows = rowsOf(html).map((row) => {
    const old = table.querySelector(`tr[data-id="${row.dataset.id}"]`);
    return old && old.innerHTML === row.innerHTML ? old : row;
  });
  table.tBodies[0].replaceChildren(...rows);
  table.dataset.total = rows.length;
  updateTimes(table);
  document.dispatchEvent(new CustomEvent("rows"));
}

// Rows that changed, in place: nothing moves.
async function refreshRows(ids) {
  const shown = ids.filter((id) => document.querySelector(`tr[data-id="${id}"]`));
  if (!shown.length) return;
  const wanted = query();
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
