// A button beside each password that shows what was typed, until the form is sent.
function setShown(button, isShown) {
  const field = button.previousElementSibling.querySelector("input");
  field.type = isShown ? "text" : "password";
  button.setAttribute("aria-pressed", String(isShown));
}

export function showPasswords() {
  for (const field of document.querySelectorAll("label > input[type=password]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "show";
    button.textContent = "Show";
    button.setAttribute("aria-pressed", "false");
    field.spellcheck = false;
    field.parentElement.classList.add("with-show");
    field.parentElement.after(button);
    button.addEventListener("click", () => setShown(button, button.getAttribute("aria-pressed") === "false"));
    // Sent as a password again, so that the browser does not remember it as a text.
    field.form.addEventListener("submit", () => setShown(button, false));
  }
}
