// A list of events: filtered and continued without a page load, and without losing the older ones.

async function part(path) {
  const answer = await fetch(path).catch(() => null);
  if (!answer || !answer.ok) return null;
  const html = document.createElement("template");
  html.innerHTML = await answer.text();
  return html.content.firstElementChild;
}

const entries = (section) => [...(section?.querySelectorAll("li[data-event]") || [])];

// Entries that were loaded below those of a renewed section stay.
export function keepOlder(before, now) {
  if (!before || !now || before.dataset.events !== now.dataset.events) return;
  const oldest = Number(entries(now).at(-1)?.dataset.event);
  const older = entries(before).filter((entry) => Number(entry.dataset.event) < oldest);
  if (older.length) append(now, older, before.querySelector("[data-older]"));
}

// The filter of the page as it is now, with the events of the link: the link is as old as the details.
function searchOf(link) {
  const given = new URL(link.href).searchParams;
  const parameters = new URLSearchParams(location.search);
  for (const key of ["events", "before"]) {
    if (given.get(key)) parameters.set(key, given.get(key));
    else parameters.delete(key);
  }
  return parameters.size ? `?${parameters}` : "";
}

function append(section, older, link) {
  section.querySelector(".timeline").append(...older);
  const place = section.querySelector("[data-older]");
  if (link && place) place.replaceWith(link);
  else if (!link) place?.remove();
}

export function followEvents(root, improve) {
  root.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("[data-kinds], [data-older]");
    const section = link?.closest("[data-events]");
    if (!section) return;
    event.preventDefault();
    const now = await part(`/parts/camera/${section.dataset.events}/events${searchOf(link)}`);
    if (!now || !section.isConnected) return;
    improve(now);
    if (link.matches("[data-older]")) {
      const older = entries(now);
      append(section, older, now.querySelector("[data-older]"));
      older[0]?.setAttribute("tabindex", "-1");
      older[0]?.focus();
    } else {
      history.replaceState({}, "", location.pathname + searchOf(link));
      section.replaceWith(now);
      now.querySelector("[aria-current]")?.focus();
    }
  });
}
