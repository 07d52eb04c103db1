// A camera beside the list, at its own URL; back always works.
import { showCopyButtons } from "./copy.js";
import { listSearch } from "./list.js";
import { followEvents, keepOlder } from "./timeline.js";
import { updateTimes } from "./times.js";
import { openDays } from "./uptime.js";

// What a refresh of a deleted device gets: a 404 would be an error in the console.
const GONE = 204;
const ERRORS = {
  401: "You are logged out. Load the page again to log in.",
  404: "This device no longer exists. Go back to the list.",
};

const SLOW = 200;

function isChanged(field) {
  if (field.options) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return /^(checkbox|radio)$/.test(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
}

function skeleton() {
  const shape = document.createElement("div");
  shape.className = "skeleton";
  shape.setAttribute("role", "status");
  shape.setAttribute("aria-label", "Loading");
  shape.append(...Array.from({ length: 6 }, () => document.createElement("i")));
  return shape;
}

export function openDetails(list) {
  const place = document.getElementById("detail");
  const split = document.getElementById("split");
  if (!place) return { isOpen: () => false, close() {}, renew() {}, step() {} };
  const current = () => location.pathname.match(/^\/cameras\/(\d+)$/)?.[1];
  const position = () => document.getElementById("detail-name")?.dataset.at;
  let from = null;
  let at = position();
  let leftAt = 0;
  let hasLive = false;

  function markRow() {
    const id = current();
    for (const row of list.rows()) row.classList.toggle("is-open", row.dataset.id === id);
  }

  // What the script adds to the details.
  function improve() {
    updateTimes(place);
    showCopyButtons(place);
    openDays(place);
    showLiveView();
    markRow();
  }

  function showLiveView() {
    if (!place.querySelector("[data-live]") && !hasLive) return;
    hasLive = true;
    import("./live_view.js").then(({ showLive }) => showLive(place), () => {});
  }

  // `focus`: "heading" or "row", else what is shown is only renewed.
  async function show(id, focus) {
    place.hidden = false;
    split.classList.add("with-detail");
    const waiting = focus && setTimeout(() => place.replaceChildren(skeleton()), SLOW);
    const wanted = new URLSearchParams(location.search);
    if (!focus) wanted.set("renewed", "yes");
    const answer = await fetch(`/parts/camera/${id}?${wanted}`).catch(() => null);
    clearTimeout(waiting);
    if (current() !== String(id)) return;
    if (answer?.status === GONE) {
      place.textContent = ERRORS[404];
      return;
    }
    if (!answer || !answer.ok) {
      // Details that are shown already stay until they can be renewed; they may be older then.
      if (!focus && !ERRORS[answer?.status]) return;
      place.textContent = ERRORS[answer?.status] || "The details could not be loaded. Check the connection, then try again.";
      return;
    }
    const html = await answer.text();
    if (!focus && isTyping()) return;
    const scrolled = place.scrollTop;
    const events = focus ? null : document.getElementById("events");
    const open = [...place.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
    const restoreFocus = focus ? () => {} : keepFocus();
    const live = focus ? null : place.querySelector("[data-live]");
    place.innerHTML = html;
    // A picture that plays goes on in the renewed details.
    if (live) place.querySelector(`[data-camera="${live.dataset.camera}"]`)?.replaceWith(live);
    for (const summary of place.querySelectorAll("details > summary")) if (open.includes(summary.textContent)) summary.parentElement.open = true;
    keepOlder(events, document.getElementById("events"));
    place.scrollTop = focus ? 0 : scrolled;
    improve();
    restoreFocus();
    if (focus) at = position();
    setTitle(document.getElementById("detail-name").textContent);
    if (focus) moveFocus(id, focus);
  }

  // What had the focus has it again after the details were renewed.
  function keepFocus() {
    const targets = () => [...place.querySelectorAll("a, button, summary, input, [tabindex]")];
    const before = document.activeElement;
    const index = targets().indexOf(before);
    return () => {
      if (index < 0) return;
      const now = targets();
      const target = before.id ? document.getElementById(before.id) : now.find((element, place) => place >= index - 1 && element.textContent === before.textContent);
      target?.focus({ preventScroll: true });
    };
  }

  function moveFocus(id, focus) {
    if (at) list.show(Number(at));
    const row = focus === "row" && document.querySelector(`tr[data-id="${id}"] td.c-name a`);
    if (row?.offsetParent) row.focus({ preventScroll: true });
    else document.getElementById("detail-name").focus({ preventScroll: innerWidth >= 1100 });
  }

  // The count of what is wrong stays in front.
  function setTitle(name) {
    const count = document.title.match(/^\(\d+\) /)?.[0] || "";
    document.title = count + (name ? `${name} · ` : "") + split.dataset.name;
  }

  // What a person has begun to change is not renewed under their hands.
  const isTyping = () => document.activeElement?.matches("[data-days]") || [...place.querySelectorAll("input:not(.exact-times), textarea, select")].some((field) => field === document.activeElement || isChanged(field));

  function hide() {
    place.hidden = true;
    place.replaceChildren();
    showLiveView();
    split.classList.remove("with-detail");
    setTitle("");
    markRow();
    if (at) list.show(Number(at));
    leftAt = Date.now();
    document.querySelector(`tr[data-id="${from}"] a`)?.focus();
  }

  // A row that is being renewed meanwhile gets the focus when it is back.
  function focusRow() {
    const isLost = !document.activeElement || document.activeElement === document.body;
    if (from && !current() && isLost && Date.now() - leftAt < 3000) document.querySelector(`tr[data-id="${from}"] a`)?.focus({ preventScroll: true });
  }

  function go(id) {
    from = id;
    history.pushState({}, "", `/cameras/${id}${location.search}`);
    show(id, "heading");
  }

  // The next device of the list, also one that is not loaded yet. The way back stays that to the list.
  async function step(by) {
    const rows = list.rows();
    const open = rows.findIndex((row) => row.dataset.id === current());
    const row = open < 0 ? null : rows[open + by];
    const id = row?.dataset.id || (at && Number(at) + by >= 0 && await idAt(Number(at) + by));
    if (!id || !current()) return;
    from = id;
    if (at) at = String(Number(at) + by);
    history.replaceState({}, "", `/cameras/${id}${location.search}`);
    show(id, "row");
  }

  async function idAt(offset) {
    const wanted = new URLSearchParams(list.filter);
    wanted.set("offset", offset);
    wanted.set("limit", 1);
    const answer = await fetch(`/parts/rows?${wanted}`).catch(() => null);
    return answer?.ok ? (await answer.text()).match(/data-id="(\d+)"/)?.[1] : null;
  }

  // To a section of the details, and to the first field of it.
  function jump(id) {
    const section = document.getElementById(id);
    section?.scrollIntoView({ block: "start" });
    section?.querySelector("input, textarea")?.focus({ preventScroll: true });
  }

  function close() {
    if (!current()) return;
    from = current();
    history.pushState({}, "", `/${listSearch(location.search)}`);
    hide();
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (event.target.closest(".pick")) return;
    const link = event.target.closest("[data-open]");
    const row = event.target.closest("tr[data-id]");
    const section = event.target.closest("[data-jump]");
    if (section) {
      event.preventDefault();
      jump(section.dataset.jump);
    } else if (event.target.closest("#close")) {
      event.preventDefault();
      close();
    } else if (link || (row && !getSelection().toString())) {
      event.preventDefault();
      go((link?.dataset.open) || row.dataset.id);
    }
  });
  addEventListener("popstate", () => (current() ? show(current(), "heading") : hide()));
  followEvents(place, updateTimes);
  document.addEventListener("rows", markRow);
  document.addEventListener("rows", focusRow);
  // The place in the list is that by the filter with which the details were opened.
  document.addEventListener("filter", () => { at = ""; });
  improve();
  if (at) list.show(Number(at));
  const renew = (ids) => current() && (!ids || ids.includes(Number(current()))) && !isTyping() && show(current());
  // Another device, or none, may be open by now: that one stays.
  document.addEventListener("edited", (event) => {
    const { id, before } = event.detail;
    if (![id, before].map(String).includes(current())) return;
    document.activeElement?.blur();
    place.querySelectorAll("form").forEach((form) => form.reset());
    if (String(id) !== current()) history.replaceState({}, "", `/cameras/${id}${location.search}`);
    show(id);
  });
  return { isOpen: () => Boolean(current()), close, renew, go, step };
}
