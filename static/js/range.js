// Shows how far the scan of a range is, and what it found when it has ended.
import { updateTimes } from "./times.js";

const EVERY = 700;

export function followRange() {
  const place = document.getElementById("range-progress");
  if (place?.hasAttribute("data-running")) setTimeout(renew, EVERY);
}

async function renew() {
  const page = await load("?part=progress");
  if (page) {
    const now = page.getElementById("range-progress");
    if (!now) return location.reload();
    document.getElementById("range-progress").replaceWith(now);
    if (!now.hasAttribute("data-running")) return showInbox(await load(location.search));
  }
  setTimeout(renew, EVERY);
}

// The page, or the part of it, that the server has now; null while it cannot be reached.
async function load(search) {
  const answer = await fetch(`/scan-range${search}`).catch(() => null);
  return answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

function showInbox(page) {
  const inbox = document.getElementById("inbox-card"), newer = page?.getElementById("inbox-card");
  if (!newer || inbox.contains(document.activeElement) || inbox.querySelector(".pick:checked")) return;
  inbox.replaceWith(newer);
  document.dispatchEvent(new CustomEvent("inbox"));
  updateTimes(newer);
}
