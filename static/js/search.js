// The search of the list.
import { searchField } from "./search_field.js";

export function liveSearch(view) {
  const input = document.getElementById("search");
  const matches = document.getElementById("matches");
  if (!input) return;
  let isTyping = false;

  const textIn = (search) => new URLSearchParams(search).get("q") || "";
  const searched = () => textIn(location.search);

  // The first letter makes an entry of the history, so that Back leads to the list before; the
  // others change that entry.
  async function apply() {
    const text = input.value.trim();
    if (text === searched()) return;
    const parameters = new URLSearchParams(location.search);
    for (const key of ["page", "undo", "added", "checked", "q"]) parameters.delete(key);
    if (text) parameters.set("q", text);
    const how = isTyping ? "replaceState" : "pushState";
    isTyping = true;
    const query = parameters.toString();
    if (await view.go(query && `?${query}`, how)) announce();
  }

  function announce() {
    const number = view.total;
    matches.textContent = `${number || "No"} ${number === 1 ? "match" : "matches"}`;
  }

  const { cancel } = searchField(input, apply);
  input.addEventListener("blur", () => { isTyping = false; });
  addEventListener("popstate", () => {
    cancel();
    isTyping = false;
    input.value = searched();
  });
  // A link that keeps the search leads to what is typed, also before the list has followed.
  document.addEventListener("choose", ({ detail: { link } }) => {
    const text = input.value.trim();
    if (textIn(link.search) !== textIn(view.filter) || textIn(link.search) === text) return;
    cancel();
    const parameters = new URLSearchParams(link.search);
    if (text) parameters.set("q", text);
    else parameters.delete("q");
    link.search = parameters;
  });
  // Links to another filter.
  document.addEventListener("filter", () => {
    if (!isTyping) input.value = searched();
  });
}
