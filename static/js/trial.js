// The connection test of a form, step by step. Without script the form shows all steps at once.
import { sentences, toast } from "./toast.js";

const LINES = "application/x-ndjson";
const AT_ONCE = ["insertFromPaste", "insertFromDrop"];
const SCHEME = /^[a-z]+:\/\//i;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.%]+\])(:\d+)?$/i;
const NAME = /^[^:]+(:\d+)?$/;

const decoded = (text) => { try { return decodeURIComponent(text); } catch { return text; } };

const authority = (text) => text.split(/[/?#]/, 1)[0];

function rank(place) {
  if (ADDRESS.test(place)) return 3;
  if (!NAME.test(place)) return 0;
  return authority(place).includes(".") ? 2 : 1;
}

// Where the login ends in a URL without its scheme; -1 without a login. As in fleet/userinfo.py.
function endOfLogin(text) {
  const first = authority(text);
  const at = first.lastIndexOf("@");
  const last = text.lastIndexOf("@");
  if (last <= at || !first.includes(":")) return at;
  const before = rank(first.slice(at + 1));
  return before < 3 && before <= rank(authority(text.slice(last + 1))) ? last : at;
}

// A login in a pasted URL moves to its own fields at once, so that nobody reads it off the screen.
function moveLogin(form) {
  const field = form.elements.address;
  const [scheme] = field?.value.trim().match(SCHEME) ?? [];
  if (!scheme) return;
  const text = field.value.trim().slice(scheme.length);
  const end = endOfLogin(text);
  if (end < 0) return;
  const [name, ...rest] = text.slice(0, end).split(":");
  const password = decoded(rest.join(":"));
  field.value = scheme + text.slice(end + 1);
  form.elements.username.value = decoded(name);
  form.elements.password.value = password;
  const choice = form.querySelector(`[name=login][value=${password ? "password" : "empty"}]`);
  choice.checked = true;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
}

async function* linesOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

function begin(place) {
  const start = document.getElementById("trial-start").content.cloneNode(true);
  place.querySelectorAll("section.test, .ready").forEach((old) => old.remove());
  place.prepend(start);
  return place.querySelector(".steps");
}

function end(form, place, last) {
  const focused = document.activeElement;
  place.innerHTML = last.html;
  form.elements.entered.value = last.entered;
  const isReady = Boolean(place.querySelector(".ready"));
  const button = form.querySelector("[value=test]");
  button.textContent = "Test again";
  if (!form.querySelector("[value=save].first")) button.classList.add("first");
  else if (isReady) button.classList.remove("first");
  if (isReady && (focused === button || !focused?.isConnected || focused === document.body)) {
    place.querySelector(".ready input:checked, .ready input")?.focus({ preventScroll: true });
  }
  place.querySelector(".test")?.scrollIntoView({ block: "nearest" });
}

// `asPage`: send the form as one without script does.
async function run(form, button, asPage) {
  const place = document.getElementById("trial");
  const sent = new FormData(form, button);
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(sent), headers: { Accept: LINES } }).catch(() => null);
  if (!answer) throw Object.assign(new Error("The server is not responding"), { hint: "Check the connection, then test again." });
  // What cannot be tested comes as the page, which shows the error beside its field.
  if (!answer.headers.get("Content-Type").startsWith(LINES)) return asPage();
  const steps = begin(place);
  let last = null;
  for await (const line of linesOf(answer.body)) {
    if (line.step) steps.insertAdjacentHTML("beforeend", line.step);
    else last = line;
  }
  if (!last) throw Object.assign(new Error("The connection was lost during the test"), { hint: "Test again." });
  end(form, place, last);
}

export function trials() {
  for (const form of document.querySelectorAll("form[data-trial]")) {
    let isRunning = false;
    let isPage = false;
    // Not at each key: of a URL that is being typed, the first @ may belong to the password.
    form.elements.address?.addEventListener("input", (event) => {
      if (AT_ONCE.includes(event.inputType)) moveLogin(form);
    });
    form.elements.address?.addEventListener("change", () => moveLogin(form));
    form.addEventListener("submit", (event) => {
      moveLogin(form);
      const button = event.submitter;
      if (button?.value !== "test" || isPage) return;
      event.preventDefault();
      if (isRunning) return;
      isRunning = true;
      button.setAttribute("aria-disabled", "true");
      run(form, button, () => { isPage = true; form.requestSubmit(button); }).catch((error) => {
        document.querySelector("#trial .busy")?.remove();
        toast(sentences(error));
      }).finally(() => {
        isRunning = false;
        button.removeAttribute("aria-disabled");
      });
    });
  }
}
