// Shows what one tile is sent: video through MediaSource, or single pictures.
const Source = self.ManagedMediaSource || self.MediaSource;
const CODECS = { h264: "H.264", h265: "H.265", mjpeg: "MJPEG" };
// Seconds behind the newest picture: where it plays, from where on it hurries, and skips.
const EDGE = 0.25;
const HURRY = 0.8;
const BEHIND = 2;
const KEPT = 10;
const MAX_WAITING = 400;

export const codecName = (video) => CODECS[video] || video.toUpperCase();
export const canPlay = (type) => Boolean(Source?.isTypeSupported(type));

export class Player {
  // `onUnplayable(head)`: the browser cannot play what comes. `onPicture()`: a new one is shown.
  constructor(screen, { onUnplayable, onPicture }) {
    this.screen = screen;
    this.onUnplayable = onUnplayable;
    this.onPicture = onPicture;
    this.isMuted = true;
    this.waiting = [];
  }

  init(head, data) {
    this.stop();
    if (!canPlay(head.type)) return this.onUnplayable(head);
    const video = document.createElement("video");
    Object.assign(video, { muted: this.isMuted, playsInline: true, disableRemotePlayback: true, autoplay: true });
    const source = new Source();
    const url = URL.createObjectURL(source);
    this.video = video;
    this.source = source;
    this.waiting = [data];
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(url);
      if (this.source !== source) return;
      this.buffer = source.addSourceBuffer(head.type);
      this.buffer.addEventListener("updateend", () => this.source === source && this.#append());
      this.#append();
    }, { once: true });
    video.addEventListener("error", () => this.video === video && this.stop());
    video.src = url;
    this.screen.replaceChildren(video);
    this.#countFrames(video);
  }

  fragment(data) {
    if (!this.video) return;
    this.waiting.push(data);
    // A browser that takes nothing for so long begins again with the next key frame.
    if (this.waiting.length > MAX_WAITING) this.stop();
    else this.#append();
  }

  picture(data) {
    if (this.video) this.stop();
    if (!this.image) {
      this.image = document.createElement("img");
      this.image.alt = "";
      this.screen.replaceChildren(this.image);
    }
    const { image } = this;
    const url = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
    image.onload = image.onerror = ({ type }) => {
      URL.revokeObjectURL(url);
      if (type === "load") this.onPicture();
    };
    image.src = url;
  }

  stop() {
    const { video } = this;
    this.video = this.source = this.buffer = this.image = null;
    this.waiting = [];
    if (!video) return;
    video.removeAttribute("src");
    video.load();
  }

  // Seconds of video between what is shown and the newest.
  get delay() {
    const ranges = this.video?.buffered;
    return ranges?.length ? Math.max(0, ranges.end(ranges.length - 1) - this.video.currentTime) : 0;
  }

  set muted(isMuted) {
    this.isMuted = isMuted;
    if (this.video) this.video.muted = isMuted;
  }

  // Frames that do not advance though data comes: jump to the newest once more.
  nudge() {
    const { video } = this;
    if (!video?.buffered.length) return;
    video.currentTime = Math.max(video.buffered.start(video.buffered.length - 1), this.#end() - EDGE);
    video.play().catch(() => {});
  }

  #append() {
    const { buffer, source } = this;
    if (!buffer || buffer.updating || source.readyState !== "open") return;
    if (this.#follow()) return;
    const data = this.waiting.shift();
    if (!data) return;
    try {
      buffer.appendBuffer(data);
    } catch (error) {
      if (error.name !== "QuotaExceededError") return this.stop();
      this.waiting.unshift(data);
      buffer.remove(0, Math.max(0.1, this.video.currentTime - 1));
    }
  }

  #end() {
    const { buffered } = this.video;
    return buffered.end(buffered.length - 1);
  }

  // Stay at the newest picture. True while old ones are being removed.
  #follow() {
    const { video, buffer } = this;
    if (!video.buffered.length) return false;
    const start = video.buffered.start(video.buffered.length - 1);
    const behind = this.#end() - video.currentTime;
    if (video.currentTime < start || behind > BEHIND) video.currentTime = Math.max(start, this.#end() - EDGE);
    video.playbackRate = behind > HURRY ? 1.1 : 1;
    if (video.paused) video.play().catch(() => {});
    if (video.buffered.start(0) > video.currentTime - KEPT) return false;
    buffer.remove(0, video.currentTime - KEPT / 2);
    return true;
  }

  #countFrames(video) {
    if (!video.requestVideoFrameCallback) {
      video.addEventListener("timeupdate", () => this.video === video && this.onPicture());
      return;
    }
    const shown = () => {
      if (this.video !== video) return;
      this.onPicture();
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }
}
