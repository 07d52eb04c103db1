// The keyboard. Nothing fires while a person types or has a menu open.
import { areKeysFree, openMenu, takesText } from "./popovers.js";

// The search of the bar is on every page.
export function searchKey() {
  const search = document.getElementById("search");
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || !search || !areKeysFree(event)) return;
    event.preventDefault();
    search.focus();
  });
}

export function keys(list, detail) {
  let at = null;

  function move(step) {
    if (detail.isOpen()) return detail.step(step);
    const rows = list.rows();
    if (!rows.length) return;
    at = document.activeElement?.closest("tr[data-id]")?.dataset.id || at;
    const place = rows.findIndex((row) => row.dataset.id === at);
    const row = rows[Math.min(rows.length - 1, Math.max(0, place + step))] || rows[0];
    rows.forEach((other) => other.classList.toggle("is-at", other === row));
    at = row.dataset.id;
    row.querySelector("a").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    const under = 90 - row.getBoundingClientRect().top;
    if (under > 0) scrollBy(0, -under);
  }

  const SHORTCUTS = {
    j: () => move(1),
    k: () => move(-1),
    s: () => document.getElementById("scan")?.click(),
    u: () => document.querySelector(".toast button")?.click(),
    "?": () => document.getElementById("keys")?.showModal(),
    Escape: () => detail.close(),
  };

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !openMenu() && event.target.matches?.("input, textarea") && takesText(event.target)) return event.target.blur();
    if (!SHORTCUTS[event.key] || !areKeysFree(event)) return;
    event.preventDefault();
    SHORTCUTS[event.key]();
  });
}
