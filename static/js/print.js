// On paper the list is there in full, not only the rows around the window.
import { rowsOf } from "./list.js";

const AT_ONCE = 200;
const MOST = 10000;

// The answer is waited for: the browser prints as soon as the listener returns.
function fetchRows(offset) {
  const parameters = new URLSearchParams(location.search);
  for (const key of ["page", "per_page", "undo", "added", "checked"]) parameters.delete(key);
  parameters.set("offset", offset);
  parameters.set("limit", AT_ONCE);
  parameters.set("columns", document.getElementById("fleet").dataset.columns);
  const request = new XMLHttpRequest();
  request.open("GET", `/parts/rows?${parameters}`, false);
  request.send();
  return request.status === 200 ? rowsOf(request.responseText) : [];
}

function everyRow(total) {
  const paper = document.createElement("tbody");
  paper.className = "on-paper";
  while (paper.rows.length < Math.min(total, MOST)) {
    const rows = fetchRows(paper.rows.length);
    if (!rows.length) return null;
    paper.append(...rows);
  }
  return paper;
}

const clear = () => document.querySelectorAll(".on-paper").forEach((paper) => paper.remove());

export function printWholeList() {
  addEventListener("beforeprint", () => {
    clear();
    const table = document.getElementById("fleet");
    if (!table || table.dataset.paged === "true") return;
    const total = Number(table.dataset.total);
    if (total <= table.querySelectorAll("tr[data-id]").length) return;
    try {
      table.append(everyRow(total) || "");
    } catch {
      // The connection is lost: what is on the page is printed.
    }
  });
  addEventListener("afterprint", clear);
}
