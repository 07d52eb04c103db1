// Improves a page that already works. Every module may fail without harm to the others.
import { followServer } from "./live.js";
import { virtualList } from "./list.js";
import { openDetails } from "./detail.js";
import { keys } from "./keys.js";
import { actions } from "./actions.js";
import { keepTimesCurrent } from "./times.js";

keepTimesCurrent();
actions();
if (document.getElementById("fleet") || document.getElementById("top")) {
  const list = virtualList(document.getElementById("fleet"));
  const detail = openDetails(list);
  keys(list, detail);
  followServer(list, detail);
}
