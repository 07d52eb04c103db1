// The list for the filter in the URL, and for another one without a load of the page.
import { showCurrentLinks } from "./frame.js";
import { listSearch, virtualList } from "./list.js";
import { loginHasEnded } from "./login.js";
import { updateTimes } from "./times.js";
import { toast } from "./toast.js";

export function openView() {
  const top = document.getElementById("top");
  const place = document.querySelector("#split > .list");
  let filter = location.search;
  let shown = filter;
  let inner = virtualList(document.getElementById("fleet"), load, shown);
  let request = null;

  const view = {
    get table() { return inner.table; },
    get total() { return Number(inner.table?.dataset.total || 0); },
    // The query string of the list that is shown; another one may be on its way.
    get filter() { return shown; },
    // Another list is wanted: on its way, or, where its request failed, with the next contact.
    get isBehind() { return listSearch(shown) !== listSearch(filter); },
    rows: () => inner.rows(),
    renew: (ids) => inner.renew(ids),
    put: (ids, html) => inner.put(ids, html),
    reload: () => (view.isBehind ? catchUp() : inner.reload()),
    names: () => inner.names(),
    show: (at) => inner.show(at),
    forget: () => inner.forget?.(),
    go,
    load,
    catchUp,
  };

  // Show the list with this query string. `how` is a method of the history. True when it is there.
  function go(search, how = "pushState") {
    const isHidden = !place.checkVisibility();
    history[how]({}, "", isHidden ? `/${listSearch(search)}` : `${location.pathname}${search}`);
    if (isHidden) dispatchEvent(new PopStateEvent("popstate"));
    return load();
  }

  // Show the list again, or that of another filter in the URL. Only the newest request is shown: an
  // older one is given up, however late its answer is.
  async function load(isQuiet = false) {
    request?.abort();
    const mine = request = new AbortController();
    const isOther = listSearch(filter) !== listSearch(location.search);
    filter = location.search;
    if (isOther) document.dispatchEvent(new CustomEvent("filter"));
    const answer = await fetch(`/${filter}`, { signal: mine.signal }).catch(() => null);
    const html = answer?.ok ? await answer.text().catch(() => "") : "";
    if (mine.signal.aborted) return false;
    request = null;
    if (loginHasEnded(answer)) return false;
    const page = new DOMParser().parseFromString(html, "text/html");
    if (!page.getElementById("top")) {
      if (isQuiet !== true) toast("The list could not be loaded.", "Try again", load);
      return false;
    }
    show(page);
    return true;
  }

  // The list that is wanted, once the server can be reached again.
  async function catchUp() {
    return request ? false : load(true);
  }

  function show(page) {
    const focus = placeOf(document.activeElement);
    const isOther = listSearch(shown) !== listSearch(filter);
    shown = filter;
    place.parentElement.dataset.newest = page.getElementById("split").dataset.newest;
    inner.stop();
    top.replaceChildren(...page.getElementById("top").children);
    showCurrentLinks(top);
    place.replaceChildren(...page.querySelector("#split > .list").children);
    document.querySelector("main > h1")?.remove();
    const heading = page.querySelector("main > h1");
    if (heading && location.pathname === "/") top.before(heading);
    if (isOther && place.getBoundingClientRect().top < 0) scrollTo(0, 0);
    inner = virtualList(document.getElementById("fleet"), load, shown);
    updateTimes();
    focus?.()?.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent(isOther ? "shown" : "moves"));
    document.dispatchEvent(new CustomEvent("rows"));
  }

  // Where the focus was, to be found again among new elements: by id, or as the n-th of its kind.
  function placeOf(element) {
    if (!top.contains(element) && !place.contains(element)) return null;
    if (element.id) return () => document.getElementById(element.id);
    const kind = ["#filters a", "thead a", ".pages a"].find((selector) => element.matches(selector));
    const number = [...document.querySelectorAll(kind)].indexOf(element);
    return () => document.querySelectorAll(kind)[number] || document.querySelector("#filters a");
  }

  // The list that a link of the list shown means for the one that is on its way: what differs
  // between the two comes over, and the rest of what was chosen meanwhile stays.
  function asMeant(search) {
    const [now, from, to] = [location.search, shown, search].map((text) => new URLSearchParams(text));
    for (const key of new Set([...from.keys(), ...to.keys()])) {
      if (String(from.getAll(key)) === String(to.getAll(key))) continue;
      now.delete(key);
      for (const value of to.getAll(key)) now.append(key, value);
    }
    return String(now) && `?${now}`;
  }

  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("#top a, .list a, dialog .panel a");
    if (!link || link.origin !== location.origin || link.pathname !== "/" || link.id === "refresh") return;
    event.preventDefault();
    document.dispatchEvent(new CustomEvent("choose", { detail: { link } }));
    go(view.isBehind ? asMeant(link.search) : link.search);
  });
  addEventListener("popstate", () => listSearch(filter) !== listSearch(location.search) && load());
  return view;
}
