// Shows how far the scan of a range is, and what it found when it has ended.
import { updateTimes } from "./times.js";

const EVERY = 700;

export function followRange() {
  const place = document.getElementById("range-progress");
  if (place?.hasAttribute("data-running")) setTimeout(renew, EVERY);
}

async function renew() {
  const answer = await fetch(`/scan-range${location.search}`).catch(() => null);
  if (answer?.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("range-progress");
    if (!now) return location.reload();
    document.getElementById("range-progress").replaceWith(now);
    if (!now.hasAttribute("data-running")) return showInbox(page);
  }
  setTimeout(renew, EVERY);
}

function showInbox(page) {
  const inbox = document.getElementById("inbox-card"), newer = page.getElementById("inbox-card");
  if (inbox.contains(document.activeElement) || inbox.querySelector(".pick:checked")) return;
  inbox.replaceWith(newer);
  document.dispatchEvent(new CustomEvent("inbox"));
  updateTimes(newer);
}
