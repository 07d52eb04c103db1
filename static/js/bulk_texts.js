// What an edit of the selected rows did, in one sentence.
import { NO_SITE } from "./actions.js";

const plural = (words, text) => `${text}${words.length === 1 ? "" : "s"} ${words.join(", ")}`;

const SENTENCES = {
  add_tags: (tags, devices) => `${plural(tags, "Tag")} added to ${devices}`,
  remove_tags: (tags, devices) => `${plural(tags, "Tag")} removed from ${devices}`,
  site: (site, devices) => (site === NO_SITE ? `Site removed from ${devices}` : `${devices} moved to site ${site}`),
  parent: (parent, devices) => (parent === null ? `Parent devices removed from ${devices}` : `Parent device set for ${devices}`),
  interval: (interval, devices) => (interval === null ? `Default interval set for ${devices}` : `Interval of ${interval} s set for ${devices}`),
  credentials: (id, devices) => (id === null ? `Credential set removed from ${devices}` : `Login set for ${devices}`),
  access: (access, devices) => `${access.source.toUpperCase()} connection of ${devices} changed`,
  recording: (settings, devices) => `Recording settings of ${devices} changed`,
  retired: (isRetired, devices) => `${devices} ${isRetired ? "retired" : "restored"}`,
};

// `counted`: a number with its noun. Only one field changes at once.
export function summaryOf(change, reply, counted) {
  const [[field, value]] = Object.entries(change);
  const [changed, failed] = [reply.changed.length, reply.failed.length];
  if (!changed && !failed && reply.unchanged) return `Nothing to change on ${counted(reply.unchanged)}`;
  const rest = [reply.unchanged && `${reply.unchanged} unchanged`, failed && `${failed} failed`].filter(Boolean);
  return [changed || !rest.length ? SENTENCES[field](value, counted(changed)) : "Nothing changed", ...rest].join(", ");
}
