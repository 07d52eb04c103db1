// The order of the cameras of a wall: dragged, moved by buttons or arrow keys, or typed as a number.
export function wallOrder(table) {
  const body = table.tBodies[0];
  const status = document.getElementById("moved");
  const rows = () => [...body.rows];
  const place = (row) => rows().indexOf(row);

  function number() {
    rows().forEach((row, index) => {
      row.querySelector("[name=order]").value = index + 1;
      row.querySelector("[data-move=up]").disabled = index === 0;
      row.querySelector("[data-move=down]").disabled = index === body.rows.length - 1;
    });
  }

  // Moves a row to a place, counted from 0, and says so.
  function move(row, wanted) {
    const before = place(row);
    const at = Math.min(body.rows.length - 1, Math.max(0, wanted));
    if (at === before) return number();
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    body.insertBefore(row, at > before ? rows()[at].nextSibling : rows()[at]);
    number();
    focused?.focus();
    // A button that cannot be pressed any more passes the focus on.
    if (focused?.disabled) row.querySelector("[data-move=drag]").focus();
    status.textContent = `${row.dataset.name}: ${at + 1} of ${body.rows.length}`;
  }

  body.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-move]");
    const step = { up: -1, down: 1 }[button?.dataset.move];
    if (step) move(button.closest("tr"), place(button.closest("tr")) + step);
  });
  body.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const button = event.target.closest("[data-move]");
    if (!step || !button) return;
    event.preventDefault();
    move(button.closest("tr"), place(button.closest("tr")) + step);
  });
  body.addEventListener("change", ({ target }) => {
    if (target.name === "order") move(target.closest("tr"), Number(target.value || 1) - 1);
  });

  body.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest("[data-move=drag]");
    if (!handle || event.button) return;
    const row = handle.closest("tr");
    const abort = new AbortController();
    const options = { signal: abort.signal };
    event.preventDefault();
    handle.focus();
    row.classList.add("is-moving");
    const end = () => { row.classList.remove("is-moving"); abort.abort(); };
    addEventListener("pointermove", ({ clientY }) => {
      const others = rows().filter((other) => other !== row);
      move(row, others.filter((other) => clientY > middle(other)).length);
    }, options);
    for (const kind of ["pointerup", "pointercancel", "blur"]) addEventListener(kind, end, options);
  });
  const middle = (row) => { const box = row.getBoundingClientRect(); return box.top + box.height / 2; };

  for (const button of body.querySelectorAll("[data-move]")) button.hidden = false;
  number();
}
