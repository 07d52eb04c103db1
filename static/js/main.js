// Improves a page that already works. Every module may fail without harm to the others.
import { followTheHouse } from "./live.js";
import { windowed } from "./list.js";
import { openDetails } from "./detail.js";
import { keys } from "./keys.js";
import { actions } from "./actions.js";
import { keepTimes } from "./times.js";

keepTimes();
actions();
if (document.getElementById("fleet") || document.getElementById("top")) {
  const list = windowed(document.getElementById("fleet"));
  const detail = openDetails(list);
  keys(list, detail);
  followTheHouse(list, detail);
}
