// A wall of live pictures: a grid that fits, full screen, and keys.
import { areKeysFree } from "./popovers.js";
import { showLive } from "./live_view.js";

const GAP = 6;
const SHAPE = 16 / 9;
const SMALLEST = 240;

// The columns with which so many tiles are largest in this place.
export function bestColumns(count, width, height) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const size = Math.min((width - GAP * (columns - 1)) / columns, SHAPE * ((height - GAP * (rows - 1)) / rows));
    if (size > best.size) best = { columns, size };
  }
  return best;
}

export function wall(place) {
  const tiles = [...place.querySelectorAll(".live")];
  const page = showLive(place, place.dataset.url);
  const full = document.getElementById("wall-full");

  function fit() {
    const isFull = document.fullscreenElement === place;
    const height = isFull ? innerHeight : innerHeight - place.getBoundingClientRect().top - scrollY - 24;
    const width = isFull ? innerWidth : place.clientWidth;
    // On a phone the page scrolls instead of making tiles that show nothing.
    const { columns, size } = bestColumns(tiles.length, width, height);
    const isSmall = size < SMALLEST && !isFull;
    place.style.setProperty("--columns", isSmall ? Math.max(1, Math.floor(width / SMALLEST)) : columns);
    place.style.setProperty("--size", isSmall ? "1fr" : `${Math.floor(size)}px`);
  }

  function enlarge(tile) {
    const large = place.querySelector(".live.is-large");
    if (large) change(large, false);
    place.classList.toggle("has-large", Boolean(tile) && tile !== large);
    if (!tile || tile === large) return;
    change(tile, true);
    tile.focus({ preventScroll: true });
  }

  // A large tile shows the main stream, where the person did not choose.
  function change(figure, isLarge) {
    figure.classList.toggle("is-large", isLarge);
    const shown = page?.tiles.find((each) => each.figure === figure);
    if (!shown || !figure.dataset.live.includes(":auto")) return;
    shown.stream = isLarge ? "main" : "auto";
    page.connect();
  }

  function move(step) {
    const at = tiles.indexOf(document.activeElement?.closest(".live"));
    const next = tiles[Math.min(tiles.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
    if (place.classList.contains("has-large")) enlarge(next);
    next.focus();
  }

  function fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else place.requestFullscreen?.().catch(() => {});
  }

  const columns = () => Number(getComputedStyle(place).getPropertyValue("--columns")) || 1;
  const KEYS = {
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
    ArrowUp: () => move(-columns()),
    ArrowDown: () => move(columns()),
    Enter: () => document.activeElement?.matches(".live") && enlarge(document.activeElement),
    Escape: () => enlarge(null),
    f: fullScreen,
  };
  addEventListener("keydown", (event) => {
    const digit = /^[1-9]$/.test(event.key) && tiles[event.key - 1];
    const act = digit ? () => enlarge(digit) : KEYS[event.key];
    const isButton = event.key === "Enter" && event.target.matches?.("a, button");
    if (!act || isButton || !areKeysFree(event)) return;
    event.preventDefault();
    act();
  });
  place.addEventListener("dblclick", (event) => enlarge(event.target.closest(".live")));
  if (full && place.requestFullscreen) {
    full.hidden = false;
    full.addEventListener("click", fullScreen);
  }
  addEventListener("resize", fit);
  document.addEventListener("fullscreenchange", fit);
  fit();
}
