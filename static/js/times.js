// Times in the viewer's own zone: relative in the text, absolute on hover.
const zone = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const EXACT = "exact-times";
const STEPS = [[86400, "d"], [3600, "h"], [60, "min"]];

export function span(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  for (const [place, [size, unit]] of STEPS.entries()) {
    if (seconds < size) continue;
    const rest = seconds % size;
    const next = STEPS[place + 1];
    const more = next && rest >= next[0] ? ` ${Math.floor(rest / next[0])} ${next[1]}` : "";
    return `${Math.floor(seconds / size)} ${unit}${more}`;
  }
}

function update(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  if (!time.dataset.zoned) {
    time.title = zone.format(at);
    time.dataset.zoned = "yes";
  }
  if (time.dataset.both) return updateBoth(time, at);
  if (!time.dataset.ago) return;
  const seconds = (Date.now() - at) / 1000;
  const text = time.dataset.ago === "next" ? (seconds < 0 ? `in ${span(-seconds)}` : "now")
    : seconds < 10 ? "just now" : `${span(seconds)} ago`;
  if (time.textContent !== text) time.textContent = text;
}

// Both forms of a time; the style shows one of them.
function updateBoth(time, at) {
  const seconds = (Date.now() - at) / 1000;
  const isLasting = time.dataset.both === "for";
  const [relative, exact] = time.children;
  exact.textContent = isLasting ? `since ${zone.format(at)}` : zone.format(at);
  relative.textContent = isLasting ? `for ${span(seconds)}` : seconds < 10 ? "just now" : `${span(seconds)} ago`;
}

export function updateTimes(root = document) {
  root.querySelectorAll("time").forEach(update);
  const name = zone.formatToParts().find((part) => part.type === "timeZoneName").value;
  root.querySelectorAll("[data-zone]").forEach((place) => { place.textContent = name; });
  root.querySelectorAll(`.${EXACT}`).forEach((box) => { box.checked = localStorage.getItem(EXACT) === "yes"; });
}

// A person's choice between relative and exact times is kept in this browser.
function keepChoice(event) {
  if (event.target.matches(`.${EXACT}`)) localStorage.setItem(EXACT, event.target.checked ? "yes" : "no");
}

export function keepTimesCurrent() {
  updateTimes();
  document.addEventListener("change", keepChoice);
  setInterval(() => updateTimes(), 10000);
}
