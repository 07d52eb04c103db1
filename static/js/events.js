// The page of all events: it filters without a page load, and shows new events as they come.
import { asInstants, regroupDays, showTimeFields } from "./days.js";
import { loginHasEnded } from "./login.js";
import { whileSeen } from "./streams.js";
import { updateTimes } from "./times.js";

const PAUSE = 1000;
// News that go on and on bring the list less and less often.
const LONGEST_PAUSE = 8000;
const TYPING = 200;

export function followAllEvents() {
  const form = document.getElementById("event-filter");
  const place = document.getElementById("event-list");
  const live = document.getElementById("live");
  let source = null;
  let timer = 0;
  let request = 0;
  // The newest event of the stream, now and when the list was last asked for; it is in the list by then.
  let heard = 0;
  let asked = 0;
  let askedAt = -Infinity;
  let pause = PAUSE;
  let isResting = false;
  let shown = location.search;

  function improve() {
    updateTimes(place);
    regroupDays(place);
  }

  // News that come while a filter is on its way bring the list of that filter.
  async function refresh() {
    timer = 0;
    asked = heard;
    askedAt = performance.now();
    const mine = ++request;
    const wanted = location.search;
    const answer = await fetch(`/parts/events${wanted}`).catch(() => null);
    if (loginHasEnded(answer) || !answer?.ok) return;
    const html = await answer.text();
    if (mine !== request) return;
    const isNews = wanted === shown;
    shown = wanted;
    const before = Number(place.firstElementChild.dataset.newest);
    if (isNews && html.match(/data-newest="(\d+)"/)?.[1] === String(before)) return;
    const focused = place.contains(document.activeElement) && document.activeElement.closest("[data-event]")?.dataset.event;
    const opened = [...place.querySelectorAll("details[open]")].map((each) => each.closest("[data-event]").dataset.event);
    place.innerHTML = html;
    for (const each of opened) place.querySelector(`[data-event="${each}"] details`)?.setAttribute("open", "");
    improve();
    if (isNews) for (const entry of place.querySelectorAll("[data-event]")) entry.classList.toggle("is-new", Number(entry.dataset.event) > before);
    if (focused) place.querySelector(`[data-event="${focused}"] :is(a, summary)`)?.focus({ preventScroll: true });
  }

  function schedule() {
    if (timer) return;
    pause = performance.now() - askedAt < 2 * pause ? Math.min(2 * pause, LONGEST_PAUSE) : PAUSE;
    timer = setTimeout(refresh, pause);
  }

  function onNews({ lastEventId, data }) {
    heard = Math.max(heard, lastEventId);
    const { device } = form.elements;
    if (heard > asked && !(device && JSON.parse(data).device !== Number(device.dataset.now))) schedule();
  }

  function filter() {
    const given = new URLSearchParams([...asInstants(form)].filter(([, value]) => value));
    history.replaceState({}, "", pathOf(given));
    document.getElementById("clear").hidden = !given.size;
    given.delete("device");
    form.querySelector(".chosen")?.setAttribute("href", pathOf(given));
    refresh();
  }

  const pathOf = (given) => (given.size ? `/events?${given}` : "/events");

  function follow() {
    source = new EventSource("/api/events");
    for (const kind of ["status", "found", "event"]) source.addEventListener(kind, onNews);
    source.addEventListener("reset", schedule);
    // What happened between the page and the stream, or while the connection was lost.
    source.addEventListener("open", () => {
      setLost(false);
      schedule();
    });
    source.addEventListener("error", () => {
      setLost(true);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => isLive() && follow(), 5 * PAUSE);
    });
  }

  const isLive = () => !isResting && live.getAttribute("aria-checked") === "true";

  function setLost(isLost) {
    const stale = document.getElementById("stale");
    stale.textContent = "Connection lost. Trying again.";
    stale.hidden = !isLost;
  }

  improve();
  showTimeFields(form);
  let typing = 0;
  form.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, TYPING); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); filter(); });
  if (!live) return;
  live.hidden = false;
  live.addEventListener("click", () => {
    const isOn = !isLive();
    live.setAttribute("aria-checked", String(isOn));
    source?.close();
    clearTimeout(timer);
    timer = 0;
    setLost(false);
    if (isOn) follow();
    if (isOn || shown !== location.search) refresh();
    else request++;
  });
  follow();
  whileSeen({
    rest: () => { isResting = true; source.close(); },
    wake: () => { isResting = false; if (isLive()) follow(); },
  });
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
