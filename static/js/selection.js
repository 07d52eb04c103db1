// Rows are selected by checkbox, by shift for a range and by x; the bar above the list edits them
// all at once. Without this the same form works by itself.
import { NO_SITE, send, splitTags } from "./actions.js";
import { chosenIn, settle } from "./picker.js";
import { sentences, toast } from "./toast.js";

const FEW = 20;
const bar = () => document.getElementById("bulk");
const table = () => document.getElementById("fleet");
const picks = () => [...document.querySelectorAll("tr[data-id] .pick")];
const total = () => Number(table()?.dataset.total || 0);
const counted = (number) => `${number} ${number === 1 ? "device" : "devices"}`;

export function selection() {
  const chosen = new Set();
  let isEvery = false;
  let anchor = null;
  // With isEvery those in `chosen` are left out.
  const has = (id) => chosen.has(id) !== isEvery;
  const number = () => (isEvery ? total() - chosen.size : chosen.size);

  function set(id, on) {
    if (on !== isEvery) chosen.add(id);
    else chosen.delete(id);
  }

  function show() {
    if (!bar()) return;
    const count = number();
    bar().classList.toggle("is-open", count > 0);
    for (const pick of picks()) {
      pick.checked = has(pick.value);
      pick.closest("tr").classList.toggle("is-picked", pick.checked);
    }
    const all = document.getElementById("pick-all");
    all.checked = count > 0 && count === total();
    all.indeterminate = count > 0 && count < total();
    document.getElementById("selected").textContent = count === total() ? `All ${count} selected` : isEvery ? `${count} of ${total()} selected` : `${count} selected`;
    document.getElementById("select-every").hidden = count === 0 || count === total();
    document.getElementById("select-none").hidden = false;
  }

  function clear() {
    chosen.clear();
    isEvery = false;
    anchor = null;
    show();
  }

  function every() {
    chosen.clear();
    isEvery = true;
    show();
  }

  function toggle(pick, on, isRange) {
    const rows = picks();
    const from = isRange ? rows.findIndex((other) => other.value === anchor) : -1;
    const to = rows.indexOf(pick);
    const range = from < 0 ? [pick] : rows.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const each of range) set(each.value, on);
    anchor = pick.value;
    show();
  }

  function filter() {
    const given = Object.entries(JSON.parse(bar().dataset.query));
    const wanted = Object.fromEntries(given.filter(([key, value]) => value && key !== "per_page"));
    for (const key of ["findings", "retired"]) if (key in wanted) wanted[key] = wanted[key] === "true";
    return wanted;
  }

  async function change(what) {
    const { bulk_tag: tag, bulk_site: site } = bar().elements;
    switch (what) {
      case "tag": return { add_tags: splitTags(tag.value) };
      case "untag": return { remove_tags: splitTags(tag.value) };
      case "site": return { site: site.value.trim() || NO_SITE };
      case "parent": return { parent: await parent() };
      case "no_parent": return { parent: null };
      default: return { retired: what === "retire" };
    }
  }

  async function parent() {
    await settle(bar());
    const [number] = chosenIn(bar(), "parent");
    if (number) return Number(number);
    throw Object.assign(new Error("Select one parent device"), { hint: "Search by name, address or model." });
  }

  async function apply(what) {
    const devices = isEvery ? { filter: filter(), except: [...chosen].map(Number), count: number() } : { ids: [...chosen].map(Number) };
    document.getElementById("bulk-result").replaceChildren();
    try {
      const reply = await send("POST", "/api/cameras/bulk", { ...devices, ...await change(what) });
      bar()?.querySelectorAll("details").forEach((menu) => { menu.open = false; });
      report(reply);
      clear();
    } catch (error) {
      tell(sentences(error));
    }
  }

  function report(reply) {
    const parts = [`${counted(reply.changed.length)} changed`];
    if (reply.unchanged) parts.push(`${reply.unchanged} unchanged`);
    if (reply.failed.length) parts.push(`${reply.failed.length} not changed`);
    tell("", reply.failed);
    const undo = () => send("POST", "/api/cameras/bulk/undo", { events: reply.undo }).then((undone) => { renew(); tell("", undone.failed); });
    toast(parts.join(", "), reply.undo.length ? "Undo" : "", undo);
    renew();
  }

  const renew = () => document.dispatchEvent(new CustomEvent("edited-many"));

  function tell(text, failed = []) {
    const place = document.getElementById("bulk-result");
    if (!text && !failed.length) return place.replaceChildren();
    const notice = document.createElement("div");
    notice.className = "notice";
    if (text) notice.append(text);
    const list = document.createElement("ul");
    for (const failure of failed.slice(0, FEW)) {
      const item = document.createElement("li");
      item.textContent = `${failure.name || "A device"}: ${sentences({ message: failure.error, hint: failure.hint })}`;
      list.append(item);
    }
    if (failed.length) notice.append(list);
    if (failed.length > FEW) notice.append(`${failed.length - FEW} more`);
    place.replaceChildren(notice);
  }

  document.addEventListener("click", (event) => {
    const pick = event.target.closest("tr[data-id] .pick");
    if (pick) toggle(pick, pick.checked, event.shiftKey);
    else if (event.target.id === "pick-all") event.target.checked ? every() : clear();
    else if (event.target.closest("#select-every")) every();
    else if (event.target.id === "select-none") clear();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input:not(.pick), textarea, select, dialog")) return;
    const row = event.target.closest?.("tr[data-id]") || document.querySelector("tr.is-at");
    const pick = row?.querySelector(".pick");
    if (pick) toggle(pick, !has(pick.value), event.shiftKey);
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== bar()) return;
    event.preventDefault();
    apply(event.submitter?.value);
  });
  document.addEventListener("filter", () => { clear(); tell(""); });
  document.addEventListener("rows", show);
  show();
}
