// Menus that open below their button: the keyboard is in the menu while it is open, and Enter
// presses the button of the menu, not the first one of its form.
const FIELDS = "input:not([type=hidden], :disabled), a, button";
const KEPT = ".toast, dialog";

export const openMenu = () => document.querySelector(".drop[open], :popover-open");

// Whether a letter is text for this element. A checkbox or a button has no use for one.
export function takesText(target) {
  const field = target.closest?.("input, textarea, select");
  return Boolean(field && !/^(checkbox|radio|button|submit|range)$/.test(field.type));
}

// Single keys are shortcuts only where no menu or dialog is open and nobody types.
export const areKeysFree = (event) =>
  !(event.ctrlKey || event.metaKey || event.altKey || takesText(event.target) || event.target.closest?.("dialog") || openMenu());

function close(menu, takesFocus) {
  const hadFocus = menu.contains(document.activeElement);
  menu.open = false;
  if (takesFocus && hadFocus) menu.querySelector("summary").focus({ preventScroll: true });
}

// At once, so that what is typed next is in the field.
function open(menu) {
  menu.open = true;
  [...menu.querySelectorAll(FIELDS)].find((field) => field.checkVisibility())?.focus({ preventScroll: true });
}

export function popovers() {
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(KEPT)) return;
    const menu = event.target.closest?.("summary")?.closest(".drop:not([open])");
    if (menu) {
      event.preventDefault();
      open(menu);
    }
    for (const menu of document.querySelectorAll(".drop[open]")) if (!menu.contains(event.target) && event.target.isConnected) close(menu);
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const menu = event.target.closest?.(".drop[open]") || document.querySelector(".drop[open]");
    if (!menu) return;
    if (event.key === "Escape") {
      close(menu, true);
    } else if (event.key === "Enter" && menu.contains(event.target) && event.target.matches("input")) {
      menu.querySelector("button.first")?.click();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
