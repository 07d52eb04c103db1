// Buttons and forms without a page load, with undo; each of them also works without this.
import { copy, showCopyButtons } from "./copy.js";
import { HINT, chosenIn, settle } from "./picker.js";
import { sentences, toast } from "./toast.js";

const noAnswer = () => Object.assign(new Error("The server is not responding"), { hint: "Check the connection, then try again." });

export async function send(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => { throw noAnswer(); });
  const reply = await answer.json().catch(() => { throw noAnswer(); });
  if (!answer.ok) throw Object.assign(new Error(reply.error), { hint: reply.hint, field: answer.headers.get("X-Field") });
  return reply;
}

const ACTIONS = {
  scan: () => send("POST", "/api/scan"),
  check: () => send("POST", "/api/dvrs/check"),
  stop: () => send("DELETE", "/api/scan"),
  "auto-scan": (form) => send("POST", "/api/auto-scan", { enabled: form.elements.enabled.value === "on" }),
};

// How the API calls the site of devices that were given none.
export const NO_SITE = "here";

export const splitTags = (text) => text.split(",").map((tag) => tag.trim()).filter(Boolean);

const EDITS = {
  change: (id, form) => {
    const { name, notes, tags, site, vendor, kind } = form.elements;
    return send("PATCH", `/api/camera/${id}`, {
      name: name.value, notes: notes.value, tags: splitTags(tags.value), site: site.value.trim() || NO_SITE,
      vendor: vendor.value, kind: kind?.value, parents: chosenIn(form, "parents").map(Number),
    });
  },
  retire: (id) => send("POST", `/api/camera/${id}/retire`),
  restore: (id) => send("POST", `/api/camera/${id}/restore`),
  merge: (id, form) => {
    const [other] = chosenIn(form, "with");
    if (!other) throw Object.assign(new Error("Select the device to merge with"), { hint: HINT, field: "with" });
    return send("POST", `/api/camera/${id}/merge`, { with: Number(other) });
  },
  split: (id, form) => send("POST", `/api/camera/${id}/split`, {
    identities: [...form.querySelectorAll("input:checked")].map((input) => input.value),
  }),
};
const MESSAGES = { change: "Saved", retire: "Retired", restore: "Restored", merge: "Merged", split: "Split" };

// Undo saves the former number; a row that had none has nothing to undo.
async function correctSerial(form, id) {
  const site = form.elements.site.value;
  const { defaultValue: before, value: after } = form.elements.p2pNumber;
  const save = (p2pNumber) => send("POST", "/api/update-p2p", { site, p2pNumber }).then(() => announceEdit(id));
  if (after.trim() === before) return toast("Nothing changed");
  await save(after);
  if (!before) return toast("Serial number saved");
  toast("Serial number saved", "Undo", () => save(before));
}

async function edit(form, id, what) {
  clearFault(form);
  try {
    if (what === "serial") return await correctSerial(form, id);
    if (what === "change" || what === "merge") await settle(form);
    const reply = await EDITS[what](id, form);
    if (reply.undo === null) return toast("Nothing changed");
    const shown = reply.camera.id;
    toast(MESSAGES[what], "Undo", () => send("POST", "/api/undo", { event: reply.undo }).then(() => {
      toast("Undone");
      announceEdit(id, shown);
    }));
    announceEdit(shown, id);
  } catch (error) {
    showFault(form, error);
  }
}

function clearFault(form) {
  form.querySelectorAll(".error").forEach((error) => error.remove());
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

// Beside the field that it is about, else above the buttons.
function showFault(form, error) {
  const name = error.field && CSS.escape(error.field);
  const field = name && form.querySelector(`[name="${name}_search"], [name="${name}"]:not([data-picker] *)`);
  const message = document.createElement("p");
  message.className = "error";
  message.id = "fault";
  message.role = "alert";
  message.textContent = sentences(error);
  if (!field) return form.querySelector("button").before(message);
  field.closest("label, fieldset, .pick").after(message);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "fault");
  field.focus();
}

// `before`: the number of the same device until now, by which it may be open.
function announceEdit(id, before) {
  document.dispatchEvent(new CustomEvent("edited", { detail: { id, before } }));
}

// A form whose answer takes seconds says so on its button, and is sent once.
function sendOnce(event) {
  const button = event.submitter;
  if (button.getAttribute("aria-disabled")) return event.preventDefault();
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  button.textContent = event.target.dataset.busy;
}

export function actions() {
  showCopyButtons(document);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.busy) return sendOnce(event);
    const { do: what, edit: change, merge, split } = form.dataset;
    const id = change || merge || split;
    if (!what && !id) return;
    event.preventDefault();
    if (id) return void edit(form, id, event.submitter?.value || "change");
    ACTIONS[what](form).then(
      () => document.dispatchEvent(new CustomEvent("renew")),
      (error) => toast(sentences(error)),
    );
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    copy(document.getElementById(button.dataset.copy).textContent, button.dataset.copy !== "token");
  });
}
