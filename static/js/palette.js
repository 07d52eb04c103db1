// The command palette: devices from this server; pages and actions as this person has them.
import { NO_SITE } from "./actions.js";

const DELAY = 150;
const MAX_DEVICES = 8;
// A server that hangs is not waited for longer, in milliseconds.
const PATIENCE = 8000;

// A device opens beside the list where there is one.
function follow({ path, device }) {
  const link = document.createElement("a");
  link.href = path;
  if (device && document.getElementById("detail")) link.dataset.open = device;
  document.body.append(link);
  link.click();
  link.remove();
}

// On other pages than the list, an action leads to the list, which shows what it does.
function submit({ post, act, fields }) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = post;
  form.hidden = true;
  if (act && document.getElementById("top")) form.dataset.do = act;
  for (const [name, value] of new URLSearchParams(fields)) {
    const field = document.createElement("input");
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.requestSubmit();
  form.remove();
}

// `isEntered`: Enter was pressed already, behind what is typed.
export function openPalette(dialog, isEntered) {
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  const none = dialog.querySelector("p");
  const closed = new AbortController();
  const { signal } = closed;
  let fixed = [];
  let devices = [];
  let at = null;
  let timer = 0;
  let request = null;
  let runsWhenFound = false;
  let isLoading = true;
  let isCutOff = false;

  const words = () => input.value.toLowerCase().split(/\s+/).filter(Boolean);

  function render() {
    const wanted = words();
    const matches = fixed.filter((option) => {
      const text = `${option.textContent} ${option.dataset.words}`.toLowerCase();
      return wanted.every((part) => text.includes(part));
    });
    list.replaceChildren(...devices, ...matches);
    mark(list.contains(at) ? at : list.firstElementChild);
    none.textContent = list.childElementCount ? "" : message();
  }

  function message() {
    if (isLoading || request) return "Searching…";
    return isCutOff ? "The server is not responding. Check the connection, then try again." : "No device, page or action matches.";
  }

  function mark(option) {
    at = option;
    for (const other of list.children) other.setAttribute("aria-selected", other === option);
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  function deviceOption(row) {
    const option = document.createElement("li");
    option.role = "option";
    option.id = `device-${row.id}`;
    option.dataset.path = `/cameras/${row.id}`;
    option.dataset.device = row.id;
    const name = document.createElement("span");
    name.textContent = row.camera_name;
    const more = document.createElement("small");
    more.textContent = [row.current_ip, row.model_name, row.site === NO_SITE ? "" : row.site].filter(Boolean).join(" · ");
    option.append(name, " ", more);
    return option;
  }

  // An answer that comes late belongs to a request that was given up.
  async function find() {
    request?.abort();
    request = null;
    timer = 0;
    const text = input.value.trim();
    if (!text) { devices = []; return render(); }
    const mine = request = new AbortController();
    render();
    const query = new URLSearchParams({ q: text, sort: "name", per_page: MAX_DEVICES });
    const answer = await fetch(`/api/cameras?${query}`, { signal: AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)]) }).catch(() => null);
    isCutOff = !answer?.ok;
    const rows = answer?.ok ? (await answer.json().catch(() => ({}))).cameras : [];
    if (mine.signal.aborted) return;
    request = null;
    devices = (rows || []).map(deviceOption);
    at = null;
    render();
    if (runsWhenFound) run(at);
  }

  function run(option) {
    if (!option) return;
    dialog.close();
    if (option.dataset.post) submit(option.dataset);
    else follow(option.dataset);
  }

  function typed() {
    runsWhenFound = false;
    render();
    clearTimeout(timer);
    timer = setTimeout(find, DELAY);
  }

  async function load() {
    const back = location.pathname + location.search;
    const answer = await fetch(`/parts/palette?${new URLSearchParams({ back })}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]) }).catch(() => null);
    const html = answer?.ok && !answer.redirected ? await answer.text().catch(() => "") : "";
    if (signal.aborted) return;
    isLoading = false;
    isCutOff ||= !html;
    list.innerHTML = html;
    fixed = [...list.children];
    render();
  }

  input.addEventListener("input", typed, { signal });
  input.addEventListener("keydown", (event) => {
    const options = [...list.children];
    const place = options.indexOf(at);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) mark(options[(place + step + options.length) % options.length]);
    else if (event.key === "Enter" && !event.isComposing) timer || request ? (runsWhenFound = true) : run(at);
    else return;
    event.preventDefault();
  }, { signal });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("li");
    if (option) run(option);
  }, { signal });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close(), { signal });
  dialog.addEventListener("close", () => {
    closed.abort();
    request?.abort();
    clearTimeout(timer);
    input.value = none.textContent = "";
  }, { signal });
  load();
  if (!input.value) return;
  typed();
  runsWhenFound = isEntered;
}
