// Copies text, also on a page without HTTPS, where browsers offer no clipboard.
import { toast } from "./toast.js";

function copySelected(text) {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.className = "only-read";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return isCopied;
}

export async function copy(text, isShown = true) {
  const isCopied = navigator.clipboard
    ? await navigator.clipboard.writeText(text).then(() => true, () => copySelected(text))
    : copySelected(text);
  toast(isCopied ? `Copied ${isShown && text.length < 60 ? text : ""}`.trim() : "The browser blocked copying. Select the text and press Ctrl+C.");
}

export function showCopyButtons(root) {
  root.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
}
