// Buttons and forms without a page load, with undo; each of them also works without this.
import { toast } from "./toast.js";

export async function send(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const said = await answer.json().catch(() => ({ error: "This server did not answer", hint: "" }));
  if (!answer.ok) throw Object.assign(new Error(said.error), { hint: said.hint, field: answer.headers.get("X-Field") });
  return said;
}

const DO = {
  scan: () => send("POST", "/api/scan"),
  stop: () => send("DELETE", "/api/scan"),
  "auto-scan": (form) => send("POST", "/api/auto-scan", { enabled: form.elements.enabled.value === "on" }),
};

const words = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

const EDIT = {
  change: (id, form) => {
    const { name, notes, tags, site, parent } = form.elements;
    return send("PATCH", `/api/camera/${id}`, {
      name: name.value, notes: notes.value, tags: words(tags.value), site: site.value,
      parent: parent.value ? Number(parent.value) : null,
    });
  },
  retire: (id) => send("POST", `/api/camera/${id}/retire`),
  restore: (id) => send("POST", `/api/camera/${id}/restore`),
  merge: (id, form) => send("POST", `/api/camera/${id}/merge`, { with: Number(form.elements.with.value) }),
  split: (id, form) => send("POST", `/api/camera/${id}/split`, {
    identities: [...form.querySelectorAll("input:checked")].map((one) => one.value),
  }),
};
const SAID = { change: "Saved", retire: "Retired", restore: "Restored", merge: "Merged", split: "Split" };

async function edit(form, id, what) {
  clearFault(form);
  try {
    const said = await EDIT[what](id, form);
    if (said.undo === null) return toast("Nothing changed");
    toast(SAID[what], "Undo", () => send("POST", "/api/undo", { event: said.undo }).then(() => changed(id)));
    changed(said.camera.id);
  } catch (error) {
    tellFault(form, error);
  }
}

function clearFault(form) {
  form.querySelectorAll(".error").forEach((one) => one.remove());
  for (const one of form.querySelectorAll("[aria-invalid]")) {
    one.removeAttribute("aria-invalid");
    one.removeAttribute("aria-describedby");
  }
}

// Beside the field that it is about, else above the buttons.
function tellFault(form, error) {
  const field = error.field && form.querySelector(`[name="${CSS.escape(error.field)}"]`);
  const said = document.createElement("p");
  said.className = "error";
  said.id = "fault";
  said.role = "alert";
  said.textContent = `${error.message}. ${error.hint || ""}`;
  if (!field) return form.querySelector("button").before(said);
  field.closest("label, fieldset").after(said);
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "fault");
  field.focus();
}

function changed(id) {
  document.dispatchEvent(new CustomEvent("edited", { detail: { id } }));
}

export function actions() {
  document.querySelectorAll("[data-copy]").forEach((one) => { one.hidden = !navigator.clipboard; });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const { do: what, edit: change, merge, split } = form.dataset;
    const id = change || merge || split;
    if (!what && !id) return;
    event.preventDefault();
    if (id) return void edit(form, id, event.submitter?.value || "change");
    DO[what](form).then(
      () => document.dispatchEvent(new CustomEvent("renew")),
      (error) => toast(`${error.message}. ${error.hint || ""}`),
    );
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => toast("Copied"), () => toast("The browser did not allow it"));
  });
}
