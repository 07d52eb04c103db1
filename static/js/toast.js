// Short words that go by themselves, with at most one thing to do.
const STAYS = 10000;

// A hint without what only helps a program: the documentation or a request of the API.
const forPeople = (hint) => (hint?.startsWith("GET /api/") ? "" : (hint || "").replace(/; \/api\/docs .*/, "."));

// The error of a request and its hint, with one full stop between them.
export const sentences = (error) => `${error.message.replace(/\.$/, "")}. ${forPeople(error.hint)}`.trim();

export function toast(text, label, act) {
  const place = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = "toast";
  box.append(text);
  const end = () => box.remove();
  if (label) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      end();
      Promise.resolve(act()).catch((error) => toast(sentences(error)));
    });
    box.append(button);
  }
  place.replaceChildren(box);
  setTimeout(end, STAYS);
}

// The notice of a page about what was just saved becomes a toast, once. Its form undoes it.
export function toastNotice() {
  const form = document.querySelector("form[data-toast]");
  if (!form) return;
  toast(form.dataset.toast, "Undo", () => form.submit());
  form.hidden = true;
  document.body.append(form); // the details around it are renewed
  const { pathname, search } = location;
  const query = new URLSearchParams(search);
  for (const name of ["added", "deleted", "done", "id", "revision"]) query.delete(name);
  history.replaceState(history.state, "", `${pathname}${String(query) && `?${query}`}`);
}
