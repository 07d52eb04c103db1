// Days and time fields in the viewer's own zone; without script they are in the server's.
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "long" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

const two = (number) => String(number).padStart(2, "0");
const dateOf = (at) => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

// Puts each entry of a list of events under the heading of its day.
export function regroupDays(root) {
  const sections = [...root.querySelectorAll("section[data-day]")];
  const entries = sections.flatMap((section) => [...section.querySelectorAll("li")].map((entry) => ({
    entry, day: section.dataset.day, at: new Date(entry.querySelector("time").dateTime),
  })));
  if (entries.every(({ day, at }) => day === dateOf(at))) return;
  let last = null;
  for (const { entry, at } of entries) {
    if (last?.dataset.day !== dateOf(at)) {
      const section = sections[0].cloneNode(true);
      section.dataset.day = dateOf(at);
      section.querySelector("h2").textContent = `${WEEKDAY.format(at)}, ${DAY.format(at)}`;
      section.querySelector("ol").replaceChildren();
      sections[0].before(section);
      last = section;
    }
    last.querySelector("ol").append(entry);
  }
  for (const section of sections) section.remove();
}

const times = (form) => form.querySelectorAll("input[type='datetime-local']");

export function showTimeFields(form) {
  for (const field of times(form)) {
    if (!field.dataset.at) continue;
    const at = new Date(field.dataset.at);
    field.value = `${dateOf(at)}T${two(at.getHours())}:${two(at.getMinutes())}`;
  }
  form.querySelectorAll("[data-zone-of]").forEach((place) => { place.textContent = "this browser"; });
}

// The fields of the form with the times as UTC: the server does not know the viewer's zone.
export function asInstants(form) {
  const given = new FormData(form);
  for (const { name, value } of times(form)) if (value) given.set(name, new Date(value).toISOString());
  return given;
}
