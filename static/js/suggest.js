// Offers the tags and sites in use while one is typed; of several tags, for the last one.
const DELAY = 150;

const partsOf = (field) => {
  const typed = field.value;
  const begin = field.dataset.suggest === "tag" ? typed.lastIndexOf(",") + 1 : 0;
  return { before: typed.slice(0, begin), last: typed.slice(begin).trimStart() };
};

const listOf = (field) => {
  if (field.list) return field.list;
  const list = document.createElement("datalist");
  list.id = `suggestions-${field.name}`;
  field.after(list);
  field.setAttribute("list", list.id);
  return list;
};

async function offer(field) {
  const { before, last } = partsOf(field);
  const query = new URLSearchParams({ of: field.dataset.suggest, q: last });
  const answer = await fetch(`/parts/suggestions?${query}`).catch(() => null);
  if (!answer?.ok) return;
  const html = await answer.text().catch(() => "");
  const now = partsOf(field);
  if (!field.isConnected || now.before !== before || now.last !== last) return;
  const list = listOf(field);
  list.innerHTML = html;
  const used = new Set(before.split(",").map((text) => text.trim()));
  for (const option of [...list.children]) {
    if (used.has(option.value)) option.remove();
    else if (before) option.value = `${before} ${option.value}`;
  }
}

export function suggestions() {
  let timer = 0;
  const follow = ({ target }) => {
    if (!target.matches?.("input[data-suggest]")) return;
    clearTimeout(timer);
    timer = setTimeout(() => offer(target), DELAY);
  };
  document.addEventListener("focusin", follow);
  document.addEventListener("input", follow);
}
