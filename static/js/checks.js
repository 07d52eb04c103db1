// Keeps the progress of running checks current on pages without a list, and renews them at the end.
import { whileSeen } from "./streams.js";
import { updateTimes } from "./times.js";

export function followChecks() {
  const place = document.getElementById("checks");
  if (!place) return;
  let source = null;
  function follow() {
    source = new EventSource("/api/events");
    source.addEventListener("checking", (event) => {
      const { checking } = JSON.parse(event.data);
      place.replaceChildren(...checking.map(line));
      if (!checking.length) renew();
    });
  }
  follow();
  // What ended meanwhile is not said again.
  whileSeen({ rest: () => source.close(), wake: () => { follow(); renew(); } });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

function line(check) {
  const text = document.createElement("span");
  text.className = "busy";
  const value = document.createElement("b");
  value.textContent = check.text;
  text.append(`${check.title}: `, value);
  const bar = document.createElement("progress");
  Object.assign(bar, { max: check.total, value: check.checked, ariaLabel: check.title });
  const row = document.createElement("p");
  row.className = "check";
  row.dataset.check = check.source;
  row.append(text, " ", bar);
  return row;
}

// The parts that a check changes, as the server shows them now.
async function renew() {
  const answer = await fetch(location.href, { headers: { "X-Refresh": "yes" } }).catch(() => null);
  if (!answer?.ok || answer.status === 204) return;  // 204: the device of the page is gone.
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("checks").replaceChildren(...now.getElementById("checks")?.children || []);
  for (const part of document.querySelectorAll("[data-renew]")) {
    const newer = now.getElementById(part.id);
    if (!newer || part.contains(document.activeElement)) continue;
    part.replaceWith(newer);
    updateTimes(newer);
  }
}
