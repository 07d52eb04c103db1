// Rows of the inbox are selected by checkbox and by shift for a range; the bar above says how many.
// The checkbox of the heading means all addresses, also those on other pages.
const bar = () => document.getElementById("inbox-bar");
const every = () => document.getElementById("inbox-every");
const picks = () => [...document.querySelectorAll("#inbox tbody .pick")];

export function inbox() {
  let anchor = null;

  function show() {
    if (!bar()) return;
    const chosen = picks().filter((pick) => pick.checked).length;
    const total = Number(document.getElementById("inbox").dataset.total);
    if (every().checked && chosen < picks().length) every().checked = false;
    every().indeterminate = chosen > 0 && !every().checked;
    document.getElementById("inbox-count").textContent = every().checked ? `All ${total.toLocaleString("en")} selected` : `${chosen} selected`;
    document.getElementById("inbox-all").hidden = every().checked;
    document.getElementById("inbox-none").hidden = false;
  }

  function setAll(on) {
    every().checked = on;
    set(picks(), on);
  }

  function set(rows, on) {
    for (const row of rows) row.checked = on;
    show();
  }

  document.addEventListener("click", (event) => {
    if (event.target === every()) return set(picks(), every().checked);
    if (event.target.id === "inbox-all") return setAll(true);
    if (event.target.id === "inbox-none") return setAll(false);
    const pick = event.target.closest?.("#inbox tbody .pick");
    if (!pick) return;
    const rows = picks();
    const [from, to] = [rows.indexOf(event.shiftKey ? anchor : pick), rows.indexOf(pick)].sort((a, b) => a - b);
    anchor = pick;
    set(from < 0 ? [pick] : rows.slice(from, to + 1), pick.checked);
  });
  document.addEventListener("inbox", show);
  show();
}
