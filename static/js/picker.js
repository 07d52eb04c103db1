// A field that finds devices by name, address or model: a combobox over the search of the server.
// Without script the form itself is searched when it is sent.
const PAUSE = 150;
export const HINT = "Search by name, address or model.";

const partsOf = (picker) => ({
  input: picker.querySelector("[name$='_search']"),
  chosen: picker.querySelector(".chosen"),
  list: picker.querySelector("[role=listbox]"),
});
const optionsOf = (list) => [...list.querySelectorAll("[role=option][data-value]")];

function listOf(picker) {
  const { input, list } = partsOf(picker);
  if (list) return list;
  const added = document.createElement("ul");
  added.id = `${input.id}-list`;
  added.className = "options";
  added.role = "listbox";
  added.ariaLabel = "Matches";
  added.hidden = true;
  input.after(added);
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", added.id], ["aria-autocomplete", "list"]]) input.setAttribute(name, value);
  return added;
}

async function search(picker) {
  const { input, chosen } = partsOf(picker);
  const text = input.value.trim();
  const answer = await fetch(`/parts/choices?${"sites" in picker.dataset ? "sites&" : ""}q=${encodeURIComponent(text)}`).catch(() => null);
  if (text !== input.value.trim()) return false;
  const list = listOf(picker);
  list.innerHTML = answer?.ok ? await answer.text() : "<li role='option' aria-disabled='true'>The search failed. Check the connection, then try again.</li>";
  const left = new Set([picker.dataset.butFor, ...[...chosen.querySelectorAll("input")].map((box) => box.value)]);
  for (const option of optionsOf(list)) if (left.has(option.dataset.value)) option.remove();
  list.classList.toggle("is-empty", !optionsOf(list).length);
  optionsOf(list).forEach((option, index) => { option.id = `${list.id}-${index}`; });
  return true;
}

async function open(picker) {
  if (!await search(picker)) return;
  const { input, list } = partsOf(picker);
  if (document.activeElement !== input) return;
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  list.scrollIntoView({ block: "nearest" });
  activate(picker, optionsOf(list)[0]);
}

function close(picker) {
  const { input, list } = partsOf(picker);
  if (!list) return;
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function activate(picker, option) {
  const { input, list } = partsOf(picker);
  for (const other of optionsOf(list)) other.setAttribute("aria-selected", String(other === option));
  if (option) input.setAttribute("aria-activedescendant", option.id);
  else input.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

const activeOption = (list) => list?.querySelector("[aria-selected=true]");

function move(picker, step) {
  const { list } = partsOf(picker);
  const options = optionsOf(list);
  const place = options.indexOf(activeOption(list));
  activate(picker, options[(place + step + options.length) % options.length]);
}

function choose(picker, option) {
  const { input, chosen } = partsOf(picker);
  const box = document.createElement("input");
  // A checkbox, also where only one is chosen: it can be unchecked again.
  box.type = "checkbox";
  box.name = picker.dataset.picker;
  box.value = option.dataset.value;
  const label = document.createElement("label");
  label.className = "check";
  const text = document.createElement("span");
  text.append(...option.cloneNode(true).childNodes);
  label.append(box, " ", text);
  const row = document.createElement("li");
  row.append(label);
  if ("single" in picker.dataset) chosen.replaceChildren();
  chosen.append(row);
  box.checked = true;
  input.value = "";
  close(picker);
}

// The values that a form has chosen in a picker.
export const chosenIn = (form, name) =>
  [...form.querySelectorAll(`[data-picker="${name}"] input:checked`)].map((box) => box.value);

// Choose what the texts name that are still in the pickers of a form. Throws what a request does
// for one that does not name one choice.
export async function settle(form) {
  for (const picker of form.querySelectorAll("[data-picker]")) {
    const { input } = partsOf(picker);
    const text = input.value.trim();
    if (!text) continue;
    await search(picker);
    const exact = optionsOf(partsOf(picker).list).filter((option) => "exact" in option.dataset);
    if (exact.length !== 1) {
      const error = new Error(`“${text}” does not match a single device`);
      throw Object.assign(error, { hint: "Choose one from the list, or clear the field.", field: picker.dataset.picker });
    }
    choose(picker, exact[0]);
  }
}

const KEYS = {
  ArrowDown: (picker, isOpen) => (isOpen ? move(picker, 1) : open(picker)),
  ArrowUp: (picker, isOpen) => isOpen && move(picker, -1),
  Enter: (picker, isOpen) => {
    const option = isOpen && activeOption(partsOf(picker).list);
    if (option) choose(picker, option);
    else if (!isOpen) open(picker);
  },
  Escape: (picker) => close(picker),
};

export function pickers() {
  let timer;
  // What is below the list must not move between the press and the release of a button.
  let isPressed = false;
  document.addEventListener("pointerdown", () => { isPressed = true; }, true);
  for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { isPressed = false; }, true);
  const pickerOf = (target) => target.name?.endsWith("_search") && target.closest("[data-picker]");
  document.addEventListener("input", (event) => {
    const picker = pickerOf(event.target);
    if (!picker) return;
    clearTimeout(timer);
    timer = setTimeout(() => (event.target.value.trim() ? open(picker) : close(picker)), PAUSE);
  });
  document.addEventListener("keydown", (event) => {
    const picker = pickerOf(event.target);
    if (!picker || !KEYS[event.key]) return;
    const list = partsOf(picker).list;
    const isOpen = Boolean(list) && !list.hidden;
    if (event.key === "Escape" ? !isOpen : event.key === "Enter" && !event.target.value.trim() && !isOpen) return;
    event.preventDefault();
    event.stopPropagation();
    KEYS[event.key](picker, isOpen);
  });
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest(".options [data-value]");
    if (event.target.closest(".options")) event.preventDefault();
    if (option) choose(option.closest("[data-picker]"), option);
  });
  document.addEventListener("click", (event) => {
    const picker = pickerOf(event.target);
    if (picker && (partsOf(picker).list?.hidden ?? true)) open(picker);
  });
  document.addEventListener("focusout", (event) => {
    const picker = pickerOf(event.target);
    if (picker && !isPressed) close(picker);
    else if (picker) document.addEventListener("pointerup", () => setTimeout(close, 0, picker), { once: true });
  });
}
