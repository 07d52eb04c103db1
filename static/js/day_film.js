// The time-lapse of a day: made on request, with its progress, and played in the page. Without script
// the form does the same, and the page is loaded again.
import { send } from "./actions.js";
import { sentences } from "./toast.js";

const LOOK = 700;

export function dayFilm() {
  let timer = 0;
  const part = () => document.getElementById("day-film");

  // What the page of the server shows now.
  async function renew() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const shown = page.getElementById("day-film");
    if (!shown) return;
    part().replaceWith(shown);
    if (shown.dataset.state === "ready") shown.querySelector("video").play().catch(() => {});
    watch();
  }

  const fail = (error) => {
    const text = part().querySelector(".film-error");
    text.textContent = sentences(error);
    text.hidden = false;
  };

  async function look() {
    const { url, day } = part().dataset;
    try {
      const film = await send("GET", `${url}?day=${day}`);
      if (film.state !== "making") return renew();
      const text = `Making the time-lapse: ${film.done} of ${film.stills}`;
      const shown = part().querySelector(".progress");
      if (shown.textContent !== text) shown.textContent = text;
    } catch (error) {
      fail(error);
    }
    watch();
  }

  function watch() {
    clearTimeout(timer);
    if (part()?.dataset.state === "making") timer = setTimeout(look, LOOK);
  }

  document.addEventListener("submit", async (event) => {
    if (!event.target.closest("#day-film")) return;
    event.preventDefault();
    const { url, day } = part().dataset;
    const isCancelled = event.submitter?.value === "cancel";
    event.submitter.disabled = true;
    try {
      if (isCancelled) await send("DELETE", `${url}?day=${day}`);
      else await send("POST", url, { day });
      await renew();
    } catch (error) {
      event.submitter.disabled = false;
      fail(error);
    }
  });
  watch();
}
