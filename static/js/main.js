// Improves a page that already works. Every module may fail without harm to the others.
import { followServer } from "./live.js";
import { openView } from "./view.js";
import { openDetails } from "./detail.js";
import { followAllEvents } from "./events.js";
import { showHiddenColumns } from "./columns.js";
import { keys, searchKey } from "./keys.js";
import { actions } from "./actions.js";
import { liveSearch } from "./search.js";
import { searchSites } from "./sites.js";
import { showCurrentLinks } from "./frame.js";
import { printWholeList } from "./print.js";
import { followChecks } from "./checks.js";
import { selection } from "./selection.js";
import { pickers } from "./picker.js";
import { popovers } from "./popovers.js";
import { showPasswords } from "./passwords.js";
import { keepTimesCurrent } from "./times.js";
import { followBars } from "./uptime.js";
import { toast, toastNotice } from "./toast.js";
import { followRange } from "./range.js";
import { inbox } from "./inbox.js";
import { recordButton } from "./record.js";
import { shareForm } from "./share.js";
import { suggestions } from "./suggest.js";

keepTimesCurrent();
showCurrentLinks();
printWholeList();
actions();
followChecks();
pickers();
suggestions();
popovers();
searchSites();
searchKey();
showPasswords();
followBars();
toastNotice();
if (document.querySelector("form[data-trial]")) import("./trial.js").then(({ trials }) => trials(), () => {});
if (document.getElementById("wall")) import("./wall.js").then(({ wall }) => wall(document.getElementById("wall")), () => {});
const tiles = document.querySelector(".wall-tiles");
if (tiles) import("./wall_order.js").then(({ wallOrder }) => wallOrder(tiles), () => {});
if (document.querySelector(".recordings")) import("./stills.js").then(({ stills }) => stills(), () => {});
const health = document.getElementById("health");
if (health?.dataset.camera) import("./picture_health.js").then(({ pictureHealth }) => pictureHealth(health), () => {});
const enlarged = document.getElementById("enlarged");
if (enlarged) {
  import("./camera_stills.js").then(({ enlarging, takeStills }) => {
    enlarging(enlarged);
    const taking = document.querySelector("[data-take]");
    if (taking) takeStills(taking);
  }, () => {});
}
if (document.getElementById("film-place")) import("./day_film.js").then(({ dayFilm }) => dayFilm(), () => {});
if (document.getElementById("film")) import("./film.js").then(({ film }) => film(document.getElementById("film")), () => {});
if (document.getElementById("week")) import("./week.js").then(({ drawWeek }) => drawWeek(), () => {});
followRange();
recordButton();
shareForm();
if (document.getElementById("inbox-card")) inbox();
if (document.getElementById("event-list")) followAllEvents();
if (document.getElementById("fleet") || document.getElementById("top")) {
  const view = openView();
  const detail = openDetails(view);
  keys(view, detail);
  liveSearch(view);
  followServer(view, detail);
  selection(view);
  showHiddenColumns();
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-panel]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    import("./panel.js").then(({ openPanel }) => openPanel(link, view), () => { location.href = link.href; });
  });
}

// The palette is open at once, so that what is typed goes into it while its options are on the way.
const palette = document.getElementById("palette");
addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
  if (!palette || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  palette.showModal();
  let isEntered = false;
  palette.onkeydown = ({ key }) => { isEntered ||= key === "Enter"; };
  import("./palette.js").then(({ openPalette }) => {
    palette.onkeydown = null;
    openPalette(palette, isEntered);
  }, () => {
    palette.close();
    toast("The commands could not be loaded. Check the connection, then try again.");
  });
});
