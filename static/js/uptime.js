// The days of an uptime bar: a tooltip by mouse, touch and arrow keys.
const DAY = 86400000;
const TITLES = { up: "Online", part: "Partly online", down: "Offline", unknown: "No data" };
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7, Home: -Infinity, End: Infinity };
const date = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

let tip = null;

function showTip(bar, index, count, text) {
  if (!tip) {
    tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("aria-hidden", "true");
  }
  document.body.append(tip);
  tip.textContent = text;
  tip.style.left = "8px";
  const box = bar.getBoundingClientRect();
  const at = box.left + (index + 0.5) * box.width / count;
  tip.style.left = `${Math.max(8, Math.min(at - tip.offsetWidth / 2, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
  const above = box.top - tip.offsetHeight - 6;
  tip.style.top = `${above < 56 ? box.bottom + 6 : above}px`;
}

const hideTip = () => tip?.remove();
const isShown = () => Boolean(tip?.isConnected);

function dayUnder(bar, x, count) {
  const box = bar.getBoundingClientRect();
  return Math.max(0, Math.min(count - 1, Math.floor((x - box.left) / box.width * count)));
}

// The reason alone after "Offline", which it would repeat.
function reasonOf(state, reason) {
  if (!reason) return "";
  return state === TITLES.down ? `: ${reason}` : `. Offline: ${reason}`;
}

// Of the table below the bar: one text for each day, oldest first.
function daysOf(section) {
  const days = [];
  for (const row of [...section.querySelectorAll("tr[data-first]")].reverse()) {
    const [, state, reason] = [...row.cells].map((cell) => cell.textContent);
    for (let i = 0; i < Number(row.dataset.count); i++) {
      const day = date.format(Date.parse(row.dataset.first) + i * DAY);
      days.push(`${day}: ${state}${reasonOf(state, reason)}`);
    }
  }
  return days;
}

// The bar in the details becomes a control; its picture says the same without script.
export function openDays(root) {
  const bar = root.querySelector("[data-days]");
  if (!bar) return;
  const days = daysOf(bar.closest("section"));
  const picture = bar.querySelector("svg");
  const marker = document.createElement("i");
  let at = days.length - 1;
  marker.className = "at";
  marker.hidden = true;
  bar.append(marker);
  picture.setAttribute("aria-hidden", "true");
  bar.setAttribute("role", "slider");
  bar.setAttribute("aria-label", `Days. ${picture.getAttribute("aria-label")}`);
  bar.setAttribute("aria-readonly", "true");
  bar.setAttribute("aria-valuemin", 1);
  bar.setAttribute("aria-valuemax", days.length);
  bar.tabIndex = 0;

  function move(index) {
    at = Math.max(0, Math.min(days.length - 1, index));
    bar.setAttribute("aria-valuenow", at + 1);
    bar.setAttribute("aria-valuetext", days[at]);
    marker.style.left = `${(at + 0.5) * 100 / days.length}%`;
  }

  function show(index) {
    move(index);
    marker.hidden = false;
    showTip(bar, at, days.length, days[at]);
  }

  function hide() {
    marker.hidden = true;
    hideTip();
  }

  const point = (event) => show(dayUnder(bar, event.clientX, days.length));
  bar.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isShown()) {
      event.stopPropagation();
      return hide();
    }
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    show(at + STEPS[event.key]);
  });
  bar.addEventListener("focus", () => bar.matches(":focus-visible") && show(at));
  bar.addEventListener("blur", hide);
  bar.addEventListener("pointermove", point);
  bar.addEventListener("pointerdown", point);
  bar.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  move(at);
}

function kindAt(svg, index) {
  const point = new DOMPoint(index + 0.5, 10.5);
  return [...svg.querySelectorAll("path")].find((path) => path.isPointInFill(point))?.getAttribute("class");
}

// The reasons of past days are read when the details open; that of now is in the row already.
function reasonNow(svg, index, count) {
  if (index < count - 1) return "";
  const row = svg.closest("tr");
  const reason = row.querySelector(".badge:is(.offline, .missing, .unreachable)") && row.querySelector(".c-name small[title]")?.title;
  return reason ? ` Offline now: ${reason}.` : "";
}

// The bars of the rows: the day under the mouse, and its state.
export function followBars() {
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || event.target.closest?.("[data-days]")) return;
    const svg = event.target.closest?.("tr[data-id] .uptime");
    if (!svg) return document.activeElement?.matches("[data-days]") || hideTip();
    const count = svg.viewBox.baseVal.width;
    const index = dayUnder(svg, event.clientX, count);
    const offset = Number(document.getElementById("split").dataset.utcOffset) * 60000;
    const day = date.format(Date.now() + offset - (count - 1 - index) * DAY);
    showTip(svg, index, count, `${day}: ${TITLES[kindAt(svg, index)] || TITLES.unknown}.${reasonNow(svg, index, count)} ${svg.getAttribute("aria-label")}`);
  });
  addEventListener("scroll", () => {
    const bar = document.activeElement;
    if (isShown() && bar?.matches("[data-days]")) bar.dispatchEvent(new Event("focus"));
    else hideTip();
  }, { passive: true, capture: true });
}
