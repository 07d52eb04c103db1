// The week of a schedule: shows what the form says, and a drag across it sets days and times.
const STEP = 15; // minutes
const WHOLE = 1440;

const minutesOf = (text) => (text ? Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5)) : null);
const textOf = (minutes) => {
  const at = minutes % WHOLE;
  return `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;
};

export function drawWeek() {
  const week = document.getElementById("week");
  const form = document.getElementById("schedule");
  const rows = [...week.querySelectorAll("svg")];
  const names = week.dataset.days.split(" ");
  const { elements } = form;
  let drag = null;

  // The parts of each day that the form says, in minutes.
  function bars() {
    const kind = elements.schedule_type.value;
    const [start, end] = [minutesOf(elements.start_time.value), minutesOf(elements.end_time.value)];
    const parts = names.map(() => []);
    if (kind === "continuous") return names.map(() => [[0, WHOLE]]);
    if (start === null || end === null) return parts;
    const put = (day, from, to) => to > from && parts[day % 7].push([from, to]);
    const first = kind === "one_time" ? new Date(`${elements.start_date.value}T12:00`) : null;
    const days = kind === "weekly" ? names.map((name, at) => [at, boxOf(name).checked]) : names.map((_name, at) => [at, true]);
    for (const [day, isOn] of days) {
      if (!isOn || (first && day !== (first.getDay() + 6) % 7)) continue;
      put(day, start, end > start ? end : WHOLE);
      if (end <= start) put(day + 1, 0, end);
    }
    return parts;
  }

  const boxOf = (name) => form.querySelector(`[name="days_of_week"][value="${name}"]`);

  function draw() {
    const parts = bars();
    rows.forEach((svg, day) => {
      const group = svg.querySelector("g");
      group.replaceChildren(...parts[day].map(([from, to]) => {
        const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        for (const [name, value] of [["x", from], ["y", 0], ["width", to - from], ["height", 20]]) bar.setAttribute(name, value);
        return bar;
      }));
      const spans = parts[day].map(([from, to]) => `${textOf(from)} to ${to === WHOLE ? "24:00" : textOf(to)}`);
      svg.setAttribute("aria-label", `${names[day][0].toUpperCase()}${names[day].slice(1)}: ${spans.join(", ") || "nothing"}`);
    });
  }

  // The day and the minute under the pointer; outside of the week, the nearest of it.
  function placeOf(event) {
    const boxes = rows.map((svg) => svg.getBoundingClientRect());
    let day = boxes.findIndex(({ bottom }) => event.clientY < bottom);
    if (day < 0) day = 6;
    const { left, width } = boxes[0];
    const share = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    return { day, minute: share * WHOLE };
  }

  function select(to) {
    const [firstDay, lastDay] = [drag.day, to.day].sort((a, b) => a - b);
    const [low, high] = [drag.minute, to.minute].sort((a, b) => a - b);
    const start = Math.min(Math.floor(low / STEP) * STEP, WHOLE - STEP);
    const end = Math.max(Math.ceil(high / STEP) * STEP, start + STEP);
    elements.schedule_type.value = "weekly";
    names.forEach((name, at) => { boxOf(name).checked = at >= firstDay && at <= lastDay; });
    elements.start_time.value = textOf(start);
    elements.end_time.value = textOf(end);
    draw();
  }

  week.addEventListener("pointerdown", (event) => {
    if (event.button || !event.target.closest("svg")) return;
    event.preventDefault();
    drag = placeOf(event);
    week.setPointerCapture(event.pointerId);
  });
  week.addEventListener("pointermove", (event) => drag && select(placeOf(event)));
  week.addEventListener("pointerup", (event) => {
    if (drag) select(placeOf(event));
    drag = null;
  });
  week.addEventListener("pointercancel", () => { drag = null; });
  form.addEventListener("input", draw);
  document.getElementById("week-help").hidden = false;
  if (elements.schedule.value === "0") draw(); // a schedule that exists is as the server drew it
}
