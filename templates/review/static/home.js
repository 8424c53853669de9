// The first page: what is being worked on, and what lies in the folder.

import { follow, get } from "./api.js";
import { SHORT, copyOf, part, tag, tell } from "./page.js";

/** @typedef {import("./types.js").DeliveryLine} DeliveryLine */
/** @typedef {import("./types.js").Job} Job */

const AGAIN_MS = 3000;

async function load() {
  try {
    showDeliveries(await get("/api/deliveries"));
    showJobs(await get("/api/jobs"));
    part(document, "#trouble", HTMLElement).hidden = true;
  } catch (error) {
    tell(document, "#trouble", error instanceof Error ? error.message : String(error));
    setTimeout(load, AGAIN_MS);
  }
}

/** @param {DeliveryLine[]} deliveries */
function showDeliveries(deliveries) {
  part(document, "#none", HTMLElement).hidden = deliveries.length > 0;
  part(document, "#deliveries", HTMLElement).replaceChildren(...deliveries.map(line));
}

/** @param {DeliveryLine} delivery */
function line(delivery) {
  const item = copyOf("delivery");
  const link = part(item, "a", HTMLAnchorElement);
  link.textContent = delivery.name;
  link.href = `/d/${encodeURIComponent(delivery.id)}`;
  tell(item, ".folder", delivery.folder === delivery.name ? "" : delivery.folder);
  const time = part(item, "time", HTMLTimeElement);
  time.dateTime = delivery.made;
  const made = new Date(delivery.made);
  time.textContent = Number.isNaN(made.valueOf()) ? delivery.made : made.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  tell(item, ".trouble", delivery.trouble);
  const counts = Object.entries(delivery.counts).filter(([kind, many]) => many > 0 && kind in SHORT);
  part(item, ".counts", HTMLElement).replaceChildren(...counts.map(([kind, many]) => count(kind, many)));
  return item;
}

/** @param {string} kind @param {number} many */
function count(kind, many) {
  const item = document.createElement("li");
  const number = document.createElement("b");
  number.textContent = String(many);
  const sign = tag(kind, "");
  sign.setAttribute("aria-hidden", "true");
  item.append(sign, number, ` ${SHORT[kind]}`);
  return item;
}

/** @param {Job[]} jobs */
function showJobs(jobs) {
  part(document, "#idle", HTMLElement).hidden = jobs.length > 0;
  part(document, "#jobs", HTMLElement).replaceChildren(...jobs.map(job));
}

/** @param {Job} told */
function job(told) {
  const item = copyOf("job");
  tell(item, ".name", told.name);
  tell(item, ".state", told.what ? `${told.state}: ${told.what}` : told.state);
  const bar = part(item, "progress", HTMLProgressElement);
  bar.setAttribute("aria-label", `Progress of ${told.name}`);
  bar.hidden = !told.total_s;
  if (told.total_s) {
    bar.max = told.total_s;
    bar.value = told.done_s ?? 0;
  }
  return item;
}

follow("/events", { jobs: showJobs, deliveries: load }, load);
load();
