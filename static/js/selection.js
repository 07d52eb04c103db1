// Rows are selected by checkbox, by shift for a range and by x; the bar above the list edits them
// all at once. Without this the same form works by itself.
import { NO_SITE, send, splitTags } from "./actions.js";
import { summaryOf } from "./bulk_texts.js";
import { HINT, chosenIn, settle } from "./picker.js";
import { areKeysFree } from "./popovers.js";
import { sentences, toast } from "./toast.js";

const FEW = 20;
const PAUSE = 300;
// The names of a list that the server sends at most.
const MOST = 20000;
const bar = () => document.getElementById("bulk");
const table = () => document.getElementById("fleet");
const picks = () => [...document.querySelectorAll("tr[data-id] .pick")];
const total = () => Number(table()?.dataset.total || 0);

export function selection(list) {
  const chosen = new Set();
  let isEvery = false;
  let anchor = null;
  let noun = {};
  let timer = 0;
  const counted = (number) => `${number} ${number === 1 ? noun.one : noun.many}`;
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

  async function toggle(id, on, isRange) {
    const from = isRange && anchor !== id ? anchor : null;
    const range = from && await idsBetween(from, id);
    if (from && !range) toast("The range could not be selected. Check the connection, then try again.");
    for (const each of range || [id]) set(each, on);
    anchor = id;
    show();
  }

  // The numbers of the devices from one row to another, of which some may be out of sight. Null
  // when they cannot be loaded.
  async function idsBetween(first, last) {
    const isHere = !document.querySelector("#fleet .ghost");
    const between = isHere && slice(picks().map((pick) => pick.value), first, last);
    if (between) return between;
    const ids = await idsOfList();
    return ids && (slice(ids, first, last) || [last]);
  }

  function slice(ids, first, last) {
    const [from, to] = [ids.indexOf(first), ids.indexOf(last)].sort((a, b) => a - b);
    return from < 0 ? null : ids.slice(from, to + 1);
  }

  // Null where they are not all there.
  async function idsOfList() {
    const names = await list.names();
    return names && names.length < MOST ? names.map(([id]) => String(id)) : null;
  }

  // A device that left the list is not selected any more.
  async function prune() {
    if (!chosen.size) return;
    const ids = await idsOfList();
    if (!ids) return;
    const there = new Set(ids);
    for (const id of chosen) if (!there.has(id)) chosen.delete(id);
    show();
  }

  // Of "all" those stay that are in the list after an edit, which may have taken some out of it.
  async function keep() {
    if (isEvery) {
      const left = new Set(chosen);
      const ids = await idsOfList();
      clear();
      for (const id of ids || []) if (!left.has(id)) chosen.add(id);
    } else await prune();
    show();
  }

  async function change(what) {
    const { bulk_tag: tag, bulk_site: site, bulk_interval: interval, bulk_credentials: login } = bar().elements;
    const field = (name) => bar().elements[`bulk_${name}`].value.trim() || null;
    switch (what) {
      case "tag": return { add_tags: splitTags(tag.value) };
      case "untag": return { remove_tags: splitTags(tag.value) };
      case "site": return { site: site.value.trim() || NO_SITE };
      case "interval": return { interval: interval.value.trim() ? Number(interval.value) : null };
      case "credentials": return { credentials: login.value || null };
      case "connection": return { access: { source: field("source"), port: field("port") && (Number(field("port")) || field("port")), path: field("path"), username: field("username"), password: field("password") } };
      case "recording": return { recording: recording(field) };
      case "parent": return { parent: await parent() };
      case "no_parent": return { parent: null };
      default: return { retired: what === "retire" };
    }
  }

  // What is left as it is, is not sent.
  function recording(field) {
    const always = field("auto_record"), quality = field("record_quality"), days = field("retention_days");
    const given = always ? { auto_record: always === "yes" } : {};
    if (quality) given.record_quality = quality;
    if (days) given.retention_days = Number(days) || days;
    return given;
  }

  async function parent() {
    await settle(bar());
    const [number] = chosenIn(bar(), "parent");
    if (number) return Number(number);
    throw Object.assign(new Error("Select one parent device"), { hint: HINT });
  }

  async function apply(what) {
    noun = { ...table()?.dataset };
    const devices = isEvery ? { filter: JSON.parse(bar().dataset.query), except: [...chosen].map(Number), count: number() } : { ids: [...chosen].map(Number) };
    document.getElementById("bulk-result").replaceChildren();
    try {
      const edit = await change(what);
      const reply = await send("POST", "/api/cameras/bulk", { ...devices, ...edit });
      closeMenus();
      report(edit, reply);
      await keep();
    } catch (error) {
      tell(sentences(error));
    }
  }

  // What was typed in a menu is not for the next edit.
  function closeMenus() {
    for (const menu of bar()?.querySelectorAll("details") || []) {
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus({ preventScroll: true });
      menu.open = false;
      menu.querySelector(".chosen")?.replaceChildren();
      for (const field of menu.querySelectorAll('input, [name="bulk_auto_record"], [name="bulk_record_quality"]')) field.value = "";
    }
  }

  function report(edit, reply) {
    tell("", reply.failed);
    const undo = () => send("POST", "/api/cameras/bulk/undo", { events: reply.undo }).then((undone) => {
      renew();
      tell("", undone.failed);
      toast(undone.changed.length ? `Undone for ${counted(undone.changed.length)}` : "Nothing was undone");
    });
    toast(summaryOf(edit, reply, counted), reply.undo.length ? "Undo" : "", undo);
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
      const [name, text] = [failure.name || "A device", sentences({ message: failure.error, hint: failure.hint })];
      item.textContent = text.startsWith(`${name} `) ? text : `${name}: ${text}`;
      list.append(item);
    }
    if (failed.length) notice.append(list);
    if (failed.length > FEW) notice.append(`${failed.length - FEW} more`);
    place.replaceChildren(notice);
  }

  document.addEventListener("click", (event) => {
    const pick = event.target.closest("tr[data-id] .pick");
    if (pick) toggle(pick.value, pick.checked, event.shiftKey);
    else if (event.target.id === "pick-all") event.target.checked ? every() : clear();
    else if (event.target.closest("#select-every")) every();
    else if (event.target.id === "select-none") clear();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "x" || !areKeysFree(event)) return;
    const row = event.target.closest?.("tr[data-id]") || document.querySelector("tr.is-at");
    const pick = row?.querySelector(".pick");
    if (pick) toggle(pick.value, !has(pick.value), event.shiftKey);
  });
  document.addEventListener("submit", (event) => {
    if (event.target !== bar()) return;
    event.preventDefault();
    if (event.submitter.value !== "enter") apply(event.submitter.value);
  });
  for (const change of ["filter", "shown"]) document.addEventListener(change, () => { clear(); tell(""); });
  document.addEventListener("moves", () => {
    clearTimeout(timer);
    timer = setTimeout(prune, PAUSE);
  });
  document.addEventListener("rows", show);
  show();
}
