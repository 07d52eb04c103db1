// The rows of links that scroll sideways on a phone begin where the current link is.
export function showCurrentLinks(root = document) {
  for (const row of root.querySelectorAll(".tabs, .filters")) {
    const current = row.querySelector("[aria-current]");
    if (!current || row.scrollWidth <= row.clientWidth) continue;
    const [inner, outer] = [current.getBoundingClientRect(), row.getBoundingClientRect()];
    row.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }
}
