// The button that creates a link to a recording, copies it, and shows it.
import { send } from "./actions.js";
import { copy } from "./copy.js";
import { sentences, toast } from "./toast.js";

export function shareForm() {
  const form = document.querySelector("form[data-link]");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const minutes = Number(new FormData(form).get("minutes"));
    const reply = await send("POST", `/api/recordings/${form.dataset.link}/link`, { minutes }).catch((error) => toast(sentences(error)));
    button.disabled = false;
    if (!reply) return;
    const parts = Array.from({ length: Number(form.dataset.parts) }, (_, index) => (index ? `${reply.url}&part=${index + 1}` : reply.url));
    const text = parts.join("\n");
    document.getElementById("recording-link").textContent = text;
    document.getElementById("made-link").hidden = false;
    copy(text, false);
  });
}
