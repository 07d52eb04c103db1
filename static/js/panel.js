// Filters and saved views in a dialog over the list. Both are pages of their own without script.
import { toast } from "./toast.js";

const DELAY = 150;

export function openPanel(link, view) {
  const dialog = document.createElement("dialog");
  dialog.className = "over";
  dialog.setAttribute("aria-labelledby", "panel-title");
  document.body.append(dialog);
  let timer = 0;
  let request = null;

  // Fetch a page and show its panel, or with `part` only that of it. The newest request wins.
  async function load(path, { part, ...options } = {}) {
    request?.abort();
    const mine = request = new AbortController();
    const answer = await fetch(path, { ...options, signal: mine.signal }).catch(() => null);
    const html = answer && await answer.text().catch(() => "");
    if (mine.signal.aborted) return;
    const panel = new DOMParser().parseFromString(html || "", "text/html").querySelector(".panel");
    if (!panel) return toast("The panel could not be loaded. Check the connection, then try again.");
    const old = part && dialog.querySelector(part);
    if (old) old.replaceWith(panel.querySelector(part));
    else show(panel);
  }

  function show(panel) {
    const focused = dialog.contains(document.activeElement) ? document.activeElement : null;
    const href = focused?.href && [...dialog.querySelectorAll("a")].indexOf(focused);
    dialog.replaceChildren(panel);
    if (!dialog.open) dialog.showModal();
    const place = (focused?.id && document.getElementById(focused.id)) || dialog.querySelectorAll("a")[href];
    const fields = ["[autofocus]", "#find", "#view-name", ".saved a", "[data-close]"].map((selector) => dialog.querySelector(selector));
    (place || fields.find(Boolean)).focus();
  }

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) return dialog.close();
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });
  // One Esc closes it, out of the search field too, and reaches nothing behind it.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    event.stopPropagation();
    dialog.close();
  });
  dialog.addEventListener("input", (event) => {
    const form = event.target.closest("[data-find]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(() => load(`/filters?${new URLSearchParams(new FormData(form))}`, { part: ".facets" }), DELAY);
  });
  dialog.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    if (form.dataset.find !== undefined) return dialog.querySelector(".facets a")?.focus();
    load(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
  });
  // A filter was chosen: the list follows behind the panel, whose counts follow too. A view closes it.
  const follow = ({ detail }) => {
    if (!dialog.contains(detail.link)) return;
    if (detail.link.closest(".views")) return dialog.close();
    const find = dialog.querySelector("#find")?.value;
    const query = new URLSearchParams(detail.link.search);
    if (find) query.set("find", find);
    load(`/filters?${query}`);
  };
  // Back and forward change the filter too.
  const renew = () => load(link.pathname + location.search);
  document.addEventListener("choose", follow);
  addEventListener("popstate", renew);
  dialog.addEventListener("close", () => {
    document.removeEventListener("choose", follow);
    removeEventListener("popstate", renew);
    request?.abort();
    clearTimeout(timer);
    dialog.remove();
    document.getElementById(link.id)?.focus();
  });
  load(link.href);
}
