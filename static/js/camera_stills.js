// Stills: enlarge one over its page, and take a new one when the page of a camera is opened. Without
// script the links lead to the pictures, and the browser asks for the new one itself.
import { send } from "./actions.js";
import { updateTimes } from "./times.js";
import { sentences } from "./toast.js";

// A picture that cannot be loaded says so instead of looking broken.
export function markMissing() {
  for (const picture of document.querySelectorAll(".still-link img")) {
    picture.addEventListener("error", () => {
      const text = document.createElement("span");
      text.className = "no-still";
      text.textContent = "No picture";
      picture.replaceWith(text);
    }, { once: true });
  }
}

function enlarge(dialog, link) {
  const picture = dialog.querySelector("img");
  dialog.querySelector("b").textContent = picture.alt = link.dataset.enlarge;
  dialog.querySelector("a").href = picture.src = link.href;
  dialog.showModal();
}

export function enlarging(dialog) {
  markMissing();
  document.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) return dialog.close();
    const link = event.target.closest("[data-enlarge]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    enlarge(dialog, link);
  });
  dialog.addEventListener("close", () => dialog.querySelector("img").removeAttribute("src"));
}

// What the page shows once a still was taken: the still, the hour that it is in, and what can be made
// of the day, unless that is under way or being looked at.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const isFilmBusy = document.querySelector('#day-film:is([data-state="making"], [data-state="ready"])');
  for (const id of ["newest", "hours", ...(isFilmBusy ? [] : ["film-place"])]) {
    const part = page.getElementById(id);
    if (part) document.getElementById(id).replaceChildren(...part.childNodes);
  }
  markMissing();
  updateTimes();
}

export function takeStills(root) {
  const text = root.querySelector(".taking");
  const button = root.querySelector("[data-take-now]");

  async function take() {
    button.disabled = true;
    root.classList.remove("is-failed");
    text.textContent = "Taking a still...";
    try {
      await send("POST", `/api/cameras/${root.dataset.take}/stills`);
      await renew();
      text.textContent = "";
    } catch (error) {
      root.classList.add("is-failed");
      text.textContent = `No new still. ${sentences(error)}`;
    }
    button.disabled = false;
  }

  button.hidden = false;
  button.addEventListener("click", take);
  take();
}
