// Times in the viewer's own zone: relative in the text, absolute on hover.
const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
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
  if (!time.dataset.ago) return;
  const seconds = (Date.now() - at) / 1000;
  const text = time.dataset.ago === "next" ? (seconds < 0 ? `in ${span(-seconds)}` : "now")
    : seconds < 10 ? "just now" : `${span(seconds)} ago`;
  if (time.textContent !== text) time.textContent = text;
}

export function updateTimes(root = document) {
  root.querySelectorAll("time").forEach(update);
}

export function keepTimesCurrent() {
  updateTimes();
  setInterval(updateTimes, 10000);
}
