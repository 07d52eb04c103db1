// A camera beside the list, at its own URL; back always works.
import { updateTimes } from "./times.js";

const ERRORS = {
  401: "You are logged out. Load the page again to log in.",
  404: "There is no such camera any more. Go back to the list.",
};

const SLOW = 200;

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
  if (!place) return { isOpen: () => false, close() {}, renew() {} };
  const current = () => location.pathname.match(/^\/cameras\/(\d+)$/)?.[1];
  let from = null;
  let leftAt = 0;

  function markRow() {
    const id = current();
    for (const row of list.rows()) row.classList.toggle("is-open", row.dataset.id === id);
    place.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = !navigator.clipboard; });
  }

  async function show(id, focus) {
    place.hidden = false;
    split.classList.add("with-detail");
    const waiting = focus && setTimeout(() => place.replaceChildren(skeleton()), SLOW);
    const answer = await fetch(`/parts/camera/${id}${location.search}`).catch(() => null);
    clearTimeout(waiting);
    if (current() !== String(id)) return;
    if (!answer || !answer.ok) {
      place.textContent = ERRORS[answer?.status] || "This camera could not be loaded. Check the connection, then try again.";
      return;
    }
    const html = await answer.text();
    if (!focus && isTyping()) return;
    const scrolled = place.scrollTop;
    const open = [...place.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
    place.innerHTML = html;
    for (const summary of place.querySelectorAll("details > summary")) if (open.includes(summary.textContent)) summary.parentElement.open = true;
    place.scrollTop = focus ? 0 : scrolled;
    updateTimes(place);
    markRow();
    setTitle(document.getElementById("detail-name").textContent);
    if (focus) document.getElementById("detail-name").focus({ preventScroll: innerWidth >= 1100 });
  }

  // The count of what is wrong stays in front.
  function setTitle(name) {
    const count = document.title.match(/^\(\d+\) /)?.[0] || "";
    document.title = count + (name ? `${name} · ` : "") + split.dataset.name;
  }

  // What a person has begun to change is not renewed under their hands.
  const isTyping = () => [...place.querySelectorAll("input, textarea")].some((input) =>
    input === document.activeElement || (input.type === "checkbox" ? input.checked !== input.defaultChecked : input.value !== input.defaultValue));

  function hide() {
    place.hidden = true;
    place.replaceChildren();
    split.classList.remove("with-detail");
    setTitle("");
    markRow();
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
    show(id, true);
  }

  function close() {
    if (!current()) return;
    from = current();
    history.pushState({}, "", `/${location.search}`);
    hide();
  }

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    if (event.target.closest(".pick")) return;
    const link = event.target.closest("[data-open]");
    const row = event.target.closest("tr[data-id]");
    if (event.target.closest("#close")) {
      event.preventDefault();
      close();
    } else if (link || (row && !getSelection().toString())) {
      event.preventDefault();
      go((link?.dataset.open) || row.dataset.id);
    }
  });
  addEventListener("popstate", () => (current() ? show(current(), true) : hide()));
  document.addEventListener("rows", markRow);
  document.addEventListener("rows", focusRow);
  markRow();
  const renew = (ids) => current() && (!ids || ids.includes(Number(current()))) && !isTyping() && show(current());
  document.addEventListener("edited", (event) => {
    document.activeElement?.blur();
    place.querySelectorAll("form").forEach((form) => form.reset());
    if (String(event.detail.id) !== current() && current()) history.replaceState({}, "", `/cameras/${event.detail.id}${location.search}`);
    show(event.detail.id);
  });
  return { isOpen: () => Boolean(current()), close, renew, go };
}
