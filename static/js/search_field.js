// A search while typing: `apply` runs when the typing rests, at Enter, and when the field is cleared
// by Esc or by its button. Without this the form leads to the same page.
const DELAY = 200;

export function searchField(input, apply) {
  let timer = 0;
  const cancel = () => clearTimeout(timer);

  function run() {
    cancel();
    return apply();
  }

  function clear() {
    input.value = "";
    run();
  }

  input.addEventListener("input", () => {
    cancel();
    timer = setTimeout(apply, DELAY);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    if (input.value) clear();
    else input.blur();
  });
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  input.form.querySelector(".clear").addEventListener("click", (event) => {
    event.preventDefault();
    clear();
    input.focus();
  });
  return { cancel };
}
