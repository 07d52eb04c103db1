// A small picture that cannot be made says so instead of looking broken.
const NONE = "No picture";

function replace(still) {
  const text = document.createElement("span");
  text.className = "no-still";
  text.textContent = NONE;
  still.replaceWith(text);
}

export function stills() {
  for (const still of document.querySelectorAll(".still img")) {
    if (still.complete && still.src && !still.naturalWidth) replace(still);
    else still.addEventListener("error", () => replace(still), { once: true });
  }
}
