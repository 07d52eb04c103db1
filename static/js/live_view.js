// The live pictures of a page: one connection for all of its tiles, and what each of them says.
import { loginHasEnded } from "./login.js";
import { Player, codecName } from "./player.js";

const [STATE, INIT, FRAGMENT, PICTURE] = [0, 1, 2, 3];
const HEAD = 11;
const EVERY_TILE = 0xffff;
// Seconds: without a byte until the connection is given up, with an old picture until it is dimmed
// and until there is no signal, without a new frame until the player is nudged.
const SILENT = 5;
const OLD = 3;
const NO_SIGNAL = 10;
// Of a camera with few pictures: so many of its own distances until there is no signal.
const PERIODS = 2.5;
const STUCK = 3;
const PAUSES = [1, 2, 5, 10];
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const now = () => performance.now() / 1000;
const decoder = new TextDecoder();

function ageText(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

class Tile {
  constructor(figure, page) {
    this.figure = figure;
    this.page = page;
    this.screen = figure.querySelector(".screen");
    this.text = figure.querySelector(".live-text");
    this.age = figure.querySelector(".live-age");
    this.ways = figure.querySelector(".live-ways");
    this.sound = figure.querySelector(".live-sound");
    this.silent = figure.querySelector(".live-silent");
    [this.camera, this.stream] = figure.dataset.live.split(":");
    this.isJpeg = figure.dataset.live.endsWith(":jpeg");
    this.player = new Player(this.screen, { onUnplayable: (head) => this.refuse(head), onPicture: () => this.shown() });
    this.sound?.addEventListener("click", () => this.toggleSound());
    figure.addEventListener("click", (event) => this.press(event));
    this.begin();
  }

  get wanted() {
    return `${this.camera}:${this.stream}${this.isJpeg ? ":jpeg" : ""}`;
  }

  begin() {
    this.info = null;
    this.isRefused = false;
    this.begunAt = this.begunAt ?? now();
    this.arrivedAt = null;
    this.shownAt = null;
    this.distances = [0, 0];
  }

  // A new connection: what is on the screen stays there, and is old.
  reset() {
    this.player.stop();
    this.isRefused = false;
    if (this.ways) this.ways.hidden = true;
  }

  take(kind, age, data) {
    if (kind === STATE) {
      this.info = JSON.parse(decoder.decode(data));
      this.figure.dataset.activity = this.info.activity;
      if (this.sound) this.sound.hidden = !this.info.audio || this.isJpeg;
    } else if (kind === INIT) {
      const length = (data[0] << 8) | data[1];
      const head = JSON.parse(decoder.decode(data.subarray(2, 2 + length)));
      this.player.init(head, data.slice(2 + length));
      if (this.sound) this.sound.hidden = !head.audio;
      if (this.silent) this.silent.hidden = Boolean(head.audio);
    } else if (kind === FRAGMENT) {
      this.arrived(age);
      this.player.fragment(data.slice());
    } else if (kind === PICTURE) {
      this.arrived(age);
      this.player.picture(data);
    }
    if (kind === STATE) this.tell();
  }

  arrived(age) {
    const at = now() - age;
    if (this.arrivedAt !== null) this.distances = [this.distances[1], at - this.arrivedAt];
    this.arrivedAt = at;
  }

  // The shorter of the last two distances: one stall makes a camera no slower.
  get patience() {
    return Math.max(NO_SIGNAL, PERIODS * Math.min(...this.distances));
  }

  shown() {
    const isFirst = this.shownAt === null;
    this.shownAt = now();
    if (isFirst || this.isOld) this.tell();
  }

  // How old the picture on the screen is; null before the first one.
  get pictureAge() {
    if (this.shownAt === null || this.arrivedAt === null) return null;
    return Math.max(now() - this.arrivedAt, now() - this.shownAt) + this.player.delay;
  }

  tick() {
    const isStuck = this.shownAt !== null && now() - this.shownAt > STUCK && now() - this.arrivedAt < 1;
    if (isStuck) this.player.nudge();
    this.tell();
  }

  tell() {
    const age = this.pictureAge;
    this.isOld = age !== null && age > OLD;
    const hasNone = age === null || age > this.patience || this.page.isLost;
    this.figure.classList.toggle("is-live", age !== null && !this.isOld && !this.page.isLost);
    this.figure.classList.toggle("is-old", this.isOld || (age !== null && this.page.isLost));
    const text = this.isRefused ? this.refusal : this.sentence(age, hasNone);
    if (this.text.textContent !== text) this.text.textContent = text;
    this.age.textContent = age === null || this.isRefused ? "" : ageText(age);
  }

  sentence(age, hasNone) {
    if (!hasNone) return this.isOld ? "Old picture" : this.notes() || "Live";
    const { info } = this;
    const isSending = !this.page.isLost && info && !["playing", "retrying"].includes(info.activity);
    if (isSending && age === null) return [info.text, info.detail].filter(Boolean).join(". ");
    if (this.page.problem && age === null) return this.page.problem;
    if (age === null && !info && now() - this.begunAt < NO_SIGNAL && !this.page.isLost) return "Connecting to the camera";
    if (age === null && info?.activity === "playing" && !this.page.isLost) return "Waiting for the picture";
    const since = age !== null ? Date.now() - age * 1000 : info ? Date.parse(info.since) : Date.now() - (now() - this.begunAt) * 1000;
    const why = this.page.isLost ? "This server does not respond. Trying again." : info?.detail;
    return [`No signal since ${clock.format(since)}`, why].filter(Boolean).join(". ");
  }

  notes() {
    const notes = [...(this.info?.notes ?? []), this.scaled()].filter(Boolean);
    return notes.length ? ["Live.", ...notes].join(" ") : "";
  }

  // Single pictures are made no larger than a tile needs.
  scaled() {
    const shown = this.player.image?.naturalWidth;
    const { width, height } = this.info ?? {};
    return shown && width > shown ? `Scaled from ${width}\u00d7${height} to ${shown} pixels wide.` : "";
  }

  get refusal() {
    return `This browser cannot play ${codecName(this.refused.video)}.`;
  }

  refuse(head) {
    this.isRefused = true;
    this.refused = head;
    this.screen.replaceChildren();
    if (this.ways) {
      this.ways.hidden = false;
      const sub = this.ways.querySelector("[data-way=sub]");
      if (sub) sub.hidden = this.info?.stream === "sub";
    }
    this.tell();
  }

  press(event) {
    const way = event.target.closest("[data-way]")?.dataset.way;
    if (way === "sub") this.stream = "sub";
    else if (way === "jpeg") this.isJpeg = true;
    else if (event.target.closest(".live-full")) return this.fullScreen();
    else return;
    event.preventDefault();
    this.page.connect();
  }

  fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.figure.requestFullscreen?.().catch(() => {});
  }

  toggleSound() {
    this.player.muted = !this.player.isMuted;
    this.sound.setAttribute("aria-pressed", String(!this.player.isMuted));
  }
}

// Calls `each(tile, kind, age, content)` for every frame in the pieces that it is fed.
export function frameReader(each) {
  let rest = new Uint8Array(0);
  return (piece) => {
    let data = piece;
    if (rest.length) {
      data = new Uint8Array(rest.length + piece.length);
      data.set(rest);
      data.set(piece, rest.length);
    }
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    let at = 0;
    while (at + HEAD <= data.length) {
      const length = view.getUint32(at + 7);
      if (at + HEAD + length > data.length) break;
      each(view.getUint16(at), view.getUint8(at + 2), view.getUint32(at + 3) / 1000, data.subarray(at + HEAD, at + HEAD + length));
      at += HEAD + length;
    }
    rest = data.slice(at);
  };
}

export class LivePage {
  constructor(figures, url = "/api/live") {
    this.url = url;
    this.isLost = false;
    this.problem = "";
    this.failures = 0;
    this.tiles = figures.map((figure) => new Tile(figure, this));
    this.timer = setInterval(() => this.tick(), 1000);
    this.onVisibility = () => (document.hidden ? this.rest() : this.connect());
    document.addEventListener("visibilitychange", this.onVisibility);
    addEventListener("pagehide", () => this.close(), { once: true });
    if (!document.hidden) this.connect();
  }

  // The new connection is there before the old one ends: its pictures begin at once.
  connect() {
    clearTimeout(this.retry);
    const before = this.connection;
    if (this.isLost) before?.abort.abort();
    const mine = this.connection = { abort: new AbortController(), heardAt: now(), isOpen: false };
    this.#read(mine, () => before?.abort.abort());
  }

  // In the background nothing is asked of a camera.
  rest() {
    clearTimeout(this.retry);
    this.connection?.abort.abort();
    this.connection = null;
  }

  close() {
    this.rest();
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.onVisibility);
    for (const tile of this.tiles) tile.player.stop();
  }

  async #read(mine, onOpen) {
    const wanted = this.tiles.map((tile) => tile.wanted).join(",");
    try {
      const answer = await fetch(`${this.url}?tiles=${wanted}`, { signal: mine.abort.signal });
      onOpen();
      if (this.connection !== mine) return;
      if (!answer.ok) return await this.#onRefused(mine, answer);
      const reader = answer.body.getReader();
      const feed = frameReader((tile, kind, age, data) => this.#take(mine, tile, kind, age, data));
      for (const tile of this.tiles) tile.reset();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.connection !== mine) break;
        mine.heardAt = now();
        feed(value);
      }
    } catch {
      onOpen();
    }
    this.#onEnd(mine);
  }

  #take(mine, number, kind, age, data) {
    if (this.connection !== mine) return;
    this.isLost = false;
    this.problem = "";
    this.failures = 0;
    if (number !== EVERY_TILE) this.tiles[number]?.take(kind, age, data);
  }

  async #onRefused(mine, answer) {
    if (loginHasEnded(answer, (text) => { this.problem = text; })) return this.rest();
    const body = await answer.json().catch(() => null);
    this.problem = body?.error ? [body.error, body.hint].filter(Boolean).join(". ") : "";
    this.#onEnd(mine);
  }

  #onEnd(mine) {
    if (this.connection !== mine) return;
    this.connection = null;
    if (document.hidden) return;
    const ended = this.tiles.every((tile) => tile.info?.activity === "ended");
    const pause = PAUSES[Math.min(this.failures++, PAUSES.length - 1)];
    this.retry = setTimeout(() => this.connect(), (ended ? 30 : pause) * 1000);
  }

  tick() {
    const { connection } = this;
    if (document.hidden) return;
    if (connection && now() - connection.heardAt > SILENT) {
      // The server is stopped, or the line is cut: ask again on a new one.
      this.isLost = true;
      connection.heardAt = now();
      if (this.failures++ < 1 || !(this.failures % 3)) this.connect();
    } else if (!connection && this.failures > 1) {
      this.isLost = !this.problem;
    }
    for (const tile of this.tiles) tile.tick();
  }
}

let shown = null;

// The live pictures in a part of the page, in place of those before. What is there already goes on.
export function showLive(root, url) {
  const figures = [...root.querySelectorAll("[data-live]")];
  if (shown && figures.length === shown.tiles.length && figures.every((figure, index) => figure === shown.tiles[index].figure)) return shown;
  shown?.close();
  shown = figures.length ? new LivePage(figures, url) : null;
  return shown;
}
