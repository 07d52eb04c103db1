// The button that records: the picture beside it goes on.
import { toast } from "./toast.js";

export function recordButton() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-record]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    const isStart = button.value === "start";
    button.disabled = true;
    const url = `/v0/api/cctv/cameras/${form.dataset.record}/${isStart ? "start" : "stop"}_recording/`;
    const answer = await fetch(url, { method: "POST" }).catch(() => null);
    const body = await answer?.json().catch(() => null);
    button.disabled = false;
    if (!answer?.ok) {
      toast(body?.error ? `${body.error}. ${body.hint}` : "The recording could not be changed. Check the connection, then try again.");
      return;
    }
    button.value = isStart ? "stop" : "start";
    button.textContent = isStart ? "Stop recording" : "Record";
    form.classList.toggle("is-recording", isStart);
    toast(body.message);
  });
}
