// The menu of the columns says which of them have no room.
function update() {
  const menu = document.getElementById("columns");
  if (!menu?.open) return;
  const hidden = new Set();
  for (const head of document.querySelectorAll("#fleet th")) {
    if (!head.offsetWidth) hidden.add(head.className.slice("c-".length));
  }
  for (const box of menu.querySelectorAll("input[type=checkbox]")) {
    box.closest("label").classList.toggle("no-room", hidden.has(box.value));
  }
  const note = menu.querySelector("#no-room");
  const isSplit = document.getElementById("split").classList.contains("with-detail");
  note.hidden = !hidden.size;
  note.textContent = `${hidden.size} ${hidden.size === 1 ? "column" : "columns"} hidden: ${isSplit ? "list" : "window"} too narrow`;
}

export function showHiddenColumns() {
  document.addEventListener("toggle", update, true);
  addEventListener("resize", update);
}
