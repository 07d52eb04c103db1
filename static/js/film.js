// The player of recordings: the line of the day and the video move together. Without script the
// links below the line play a moment.
import { areKeysFree } from "./popovers.js";

const KEEP_EVERY = 5000;
const SECOND = 1000;

export function film(root) {
  const video = root.querySelector("video");
  const line = document.getElementById("line");
  const cursor = line.querySelector(".line-at");
  const clock = root.querySelector(".film-time");
  const problem = root.querySelector(".film-problem");
  const start = Number(line.dataset.start) * SECOND;
  const end = Number(line.dataset.end) * SECOND;
  let playing = root.dataset.playing ? JSON.parse(root.dataset.playing) : null;
  let asked = null;
  let kept = 0;

  root.querySelector(".film-bar").hidden = false;

  // The moment of the clock at a position of the file: gaps take no time in it.
  function momentAt(position) {
    let piece = playing.pieces[0];
    for (const next of playing.pieces) if (next.position <= position + 0.001) piece = next;
    return Date.parse(piece.at) + Math.min(position - piece.position, piece.seconds) * SECOND;
  }

  function positionOf(at) {
    for (const piece of playing.pieces) {
      const from = Date.parse(piece.at);
      if (at < from) return piece.position;
      if (at < from + piece.seconds * SECOND) return piece.position + (at - from) / SECOND;
    }
    return null;
  }

  const firstPiece = () => Date.parse(playing.pieces[0].at);

  // The clock of the server, as the line has it: its hours have their names, also twice.
  const names = [...line.querySelectorAll(".line-name")].map((mark) => ({ at: Number(mark.dataset.at) * SECOND, name: mark.textContent }));
  function clockText(at) {
    const hour = [...names].reverse().find((mark) => mark.at <= at) || names[0];
    const past = Math.max(0, at - hour.at);
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    return `${hour.name.slice(0, 2)}:${two(past / 60000)}:${two((past % 60000) / SECOND)}`;
  }

  function show(at) {
    const part = (at - start) / (end - start);
    const isHere = part >= 0 && part < 1;
    cursor.setAttribute("visibility", isHere ? "visible" : "hidden");
    if (!isHere) return;
    const x = `${(100 * part).toFixed(3)}%`;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    line.setAttribute("aria-valuenow", Math.floor((at - start) / SECOND));
    line.setAttribute("aria-valuetext", clockText(at));
    clock.textContent = clockText(at);
  }

  function keep(at) {
    const query = new URLSearchParams({ at: new Date(at).toISOString(), stream: root.dataset.stream });
    history.replaceState(history.state, "", `${location.pathname}?${query}`);
    kept = Date.now();
  }

  function fail(text, ways) {
    problem.hidden = false;
    problem.firstElementChild.textContent = text;
    for (const part of [...problem.children].slice(1)) part.hidden = !ways || (part.dataset.codec ?? playing?.codec) !== playing?.codec;
  }

  const title = (codec) => ({ h265: "H.265", h264: "H.264", mjpeg: "MJPEG" })[codec] || codec;

  // True if the browser says that it can play the file; asked before a byte is loaded.
  function canPlay() {
    problem.hidden = true;
    const isRefused = playing.type ? video.canPlayType(playing.type) === "" : playing.codec === "mjpeg";
    if (isRefused) {
      fail(`This browser cannot play ${title(playing.codec)}.`, true);
      video.removeAttribute("src");
      video.load();
    }
    return !isRefused;
  }

  // Play a moment, in the file that is open or in the one that has it.
  async function play(at) {
    show(at);
    keep(at);
    const last = playing?.pieces.at(-1);
    const isOpen = playing && video.src && at >= firstPiece() && at < Date.parse(last.at) + last.seconds * SECOND;
    if (isOpen) {
      const position = positionOf(at);
      if (position !== null) return go(position);
    }
    const mine = (asked = Symbol("asked"));
    const query = new URLSearchParams({ at: new Date(at).toISOString(), stream: root.dataset.stream });
    const answer = await fetch(`/api/cameras/${root.dataset.camera}/playback?${query}`).catch(() => null);
    const body = await answer?.json().catch(() => null);
    if (mine !== asked) return;
    if (!answer?.ok) return fail(body?.error ? `${body.error}.` : "The server does not respond. Try again in a minute.", false);
    playing = body;
    root.querySelector(".film-empty")?.remove();
    if (!canPlay()) return;
    const speed = video.playbackRate;
    video.src = playing.url;
    video.playbackRate = speed;
    go(playing.position);
  }

  function go(position) {
    video.currentTime = position;
    video.play().catch(() => {});
  }

  video.addEventListener("timeupdate", () => {
    if (!playing) return;
    const at = momentAt(video.currentTime);
    show(at);
    if (Date.now() - kept > KEEP_EVERY) keep(at);
  });
  for (const kind of ["pause", "seeked"]) video.addEventListener(kind, () => playing && video.currentTime && keep(momentAt(video.currentTime)));
  // What was recorded after this file, also behind a gap, goes on by itself.
  video.addEventListener("ended", () => playing && play(momentAt(playing.duration) + SECOND / 2));
  video.addEventListener("error", () => {
    if (video.getAttribute("src")) fail("The recording cannot be played. Its files may be damaged or deleted.", true);
  });

  const momentOf = (event) => {
    const box = line.getBoundingClientRect();
    return start + (end - start) * Math.min(0.99999, Math.max(0, (event.clientX - box.left) / box.width));
  };
  line.addEventListener("click", (event) => play(momentOf(event)));

  // A picture of the moment under the pointer.
  const tip = document.createElement("div");
  tip.className = "tip line-tip";
  tip.hidden = true;
  const still = new Image(192, 108);
  const text = document.createElement("span");
  still.alt = "";
  still.onload = () => { still.hidden = false; };
  still.onerror = () => { still.hidden = true; };
  tip.append(still, text);
  root.append(tip);
  let waits = 0;
  line.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const at = momentOf(event);
    text.textContent = event.target.querySelector?.("title")?.textContent || clockText(at);
    if (!event.target.matches?.(".line-event")) text.textContent = clockText(at);
    tip.hidden = false;
    const box = line.getBoundingClientRect();
    tip.style.left = `${Math.max(8, Math.min(innerWidth - 216, event.clientX - 100))}px`;
    tip.style.bottom = `${innerHeight - box.top + 4}px`;
    clearTimeout(waits);
    const isRecorded = event.target.matches?.(".line-rec");
    if (!isRecorded) { still.hidden = true; return; }
    waits = setTimeout(() => {
      const query = new URLSearchParams({ at: new Date(at).toISOString(), stream: root.dataset.stream });
      still.src = `/api/cameras/${root.dataset.camera}/thumbnail.jpg?${query}`;
    }, 150);
  });
  line.addEventListener("pointerleave", () => { tip.hidden = true; clearTimeout(waits); });

  // By keyboard the line moves first, and Enter plays.
  let marked = null;
  const STEPS = { ArrowLeft: -60, ArrowRight: 60, PageDown: -3600, PageUp: 3600, ArrowDown: -600, ArrowUp: 600 };
  line.addEventListener("keydown", (event) => {
    const now = marked ?? start + Number(line.getAttribute("aria-valuenow")) * SECOND;
    const step = STEPS[event.key];
    if (step) marked = Math.min(end - SECOND, Math.max(start, now + step * SECOND));
    else if (event.key === "Home") marked = start;
    else if (event.key === "End") marked = end - SECOND;
    else if (event.key === "Enter" || event.key === " ") { play(now); marked = null; }
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (marked !== null) { video.pause(); show(marked); }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest(".moments a[data-at]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    play(Date.parse(link.dataset.at));
    root.scrollIntoView({ block: "nearest" });
  });

  const rate = () => 1 / (playing?.rate || 25);
  root.addEventListener("click", (event) => {
    const { skip, step } = event.target.closest("button")?.dataset || {};
    if (skip) video.currentTime += Number(skip);
    if (step) { video.pause(); video.currentTime += Number(step) * rate(); }
    if (event.target.closest(".film-full")) fullScreen();
  });
  const fullScreen = () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen?.());
  root.querySelector(".film-speed").addEventListener("change", ({ target }) => { video.playbackRate = Number(target.value); });

  addEventListener("keydown", (event) => {
    if (!areKeysFree(event) || event.target.closest?.("a, button, select, #line")) return;
    const acts = {
      " ": () => (video.paused ? video.play().catch(() => {}) : video.pause()),
      ArrowLeft: () => { video.currentTime -= 10; },
      ArrowRight: () => { video.currentTime += 10; },
      ",": () => { video.pause(); video.currentTime -= rate(); },
      ".": () => { video.pause(); video.currentTime += rate(); },
      f: fullScreen,
    };
    if (!acts[event.key] || (event.target === video && event.key !== "f")) return;
    event.preventDefault();
    acts[event.key]();
  });

  if (playing && canPlay()) {
    show(momentAt(playing.position));
    video.play().catch(() => {}); // a browser that plays nothing by itself shows the first picture
  }
}
