// The button that records: the picture beside it goes on.
import { send } from "./actions.js";
import { sentences, toast } from "./toast.js";

export function recordButton() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-record]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    const isStart = button.value === "start";
    button.disabled = true;
    const url = `/v0/api/cctv/cameras/${form.dataset.record}/${isStart ? "start" : "stop"}_recording/`;
    const reply = await send("POST", url).catch((error) => toast(sentences(error)));
    button.disabled = false;
    if (!reply) return;
    button.value = isStart ? "stop" : "start";
    button.textContent = isStart ? "Stop recording" : "Record";
    form.classList.toggle("is-recording", isStart);
    toast(reply.message);
  });
}
