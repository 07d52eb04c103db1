// The buttons of picture health without a page load: each says what it does meanwhile, as a camera
// can take half a minute to give a picture. Without script they are forms.
import { send } from "./actions.js";
import { markMissing } from "./camera_stills.js";
import { updateTimes } from "./times.js";
import { sentences } from "./toast.js";

const DONE = {
  check: "Checked.",
  normal: "Reference set.",
  expected: "Saved. Similar pictures are not reported.",
  remove: "Removed.",
  repeats: "Saved. This camera is not reported as frozen.",
};

const chosen = (form, name) => (form.elements[name] ? { [name]: Number(form.elements[name].value) } : {});

const REQUESTS = {
  check: (form, url) => send("POST", `${url}/check`),
  normal: (form, url) => send("POST", `${url}/references`, chosen(form, "still")),
  expected: (form, url) => send("POST", `${url}/expected`, chosen(form, "picture")),
  repeats: (form, url) => send("PATCH", url, { repeats: true }),
  remove: (form, url) => send("DELETE", `${url}/pictures/${form.elements.picture.value}`),
};

// What the page shows once something has changed; open details stay open.
async function renew(root) {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const part = page.getElementById(root.id);
  if (part) root.replaceChildren(...part.childNodes);
  markMissing();
  updateTimes();
  root.querySelector("h2").focus();
}

export function pictureHealth(root) {
  const text = document.getElementById("health-said");
  let isBusy = false;

  function tell(message, isBad = false) {
    text.textContent = message;
    text.classList.toggle("is-bad", isBad);
  }

  async function act(form, button) {
    const before = button.textContent;
    isBusy = true;
    button.classList.add("busy");
    button.setAttribute("aria-disabled", "true");
    button.textContent = `${form.dataset.health}...`;
    tell(`${form.dataset.health}... A camera can take half a minute to give a picture.`);
    try {
      await REQUESTS[button.value](form, `/api/cameras/${root.dataset.camera}/picture-health`);
      await renew(root);
      tell(DONE[button.value]);
    } catch (error) {
      tell(sentences(error), true);
      button.classList.remove("busy");
      button.removeAttribute("aria-disabled");
      button.textContent = before;
    }
    isBusy = false;
  }

  root.addEventListener("submit", (event) => {
    if (!event.target.dataset.health) return;
    event.preventDefault();
    if (!isBusy) act(event.target, event.submitter);
  });
}
