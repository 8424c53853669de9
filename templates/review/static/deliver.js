// Delivering again: only what changed is rendered, and a new delivery is written beside the old one.

import { post } from "./api.js";
import { part, say, tell } from "./page.js";

/** @typedef {import("./types.js").Delivering} Delivering */
/** @typedef {import("./decisions.js").Decisions} Decisions */
/** @typedef {import("./types.js").DeliveryFacts} DeliveryFacts */

/** The server was started anew while it worked. @type {Delivering} */
const GONE = { state: "failed", done_s: null, total_s: null, what: null, why: "The server was stopped meanwhile. Deliver again.", result: null };

export class Deliver {
  /** @param {HTMLButtonElement} button @param {HTMLDialogElement} dialog @param {string} delivery @param {Decisions} decisions */
  constructor(button, dialog, delivery, decisions) {
    this.button = button;
    this.dialog = dialog;
    this.delivery = delivery;
    this.decisions = decisions;
    this.bar = part(dialog, "progress", HTMLProgressElement);
    this.link = part(dialog, "a", HTMLAnchorElement);
    this.begin = part(dialog, ".begin", HTMLButtonElement);
    this.cancel = part(dialog, ".cancel", HTMLButtonElement);
    /** @type {Delivering|null} */
    this.job = null;
    button.addEventListener("click", () => this.ask());
    part(dialog, ".shut", HTMLButtonElement).addEventListener("click", () => dialog.close());
    this.begin.addEventListener("click", () => this.start());
    this.cancel.addEventListener("click", () => this.stop());
    decisions.addEventListener("state", () => this.showUnsaved());
  }

  path(rest = "") {
    return `/api/d/${encodeURIComponent(this.delivery)}/deliver${rest}`;
  }

  /** @param {DeliveryFacts} facts */
  learn(facts) {
    this.button.disabled = !facts.can_deliver && !facts.job;
    tell(document, "#cannot", facts.can_deliver ? "" : facts.cannot_deliver);
    if (facts.job?.state === "working" || this.job?.state === "working") this.follow(facts.job ?? GONE);
  }

  ask() {
    if (this.job?.state !== "working") this.reset();
    this.dialog.showModal();
  }

  reset() {
    this.job = null;
    tell(this.dialog, ".told", "Only what you decided otherwise is rendered anew. The new delivery lies beside this one, which stays as it is.");
    this.bar.hidden = this.link.hidden = this.cancel.hidden = true;
    this.begin.hidden = false;
    this.showUnsaved();
  }

  showUnsaved() {
    const unsaved = this.decisions.unsaved > 0;
    this.begin.disabled = unsaved;
    tell(this.dialog, ".wait", unsaved && !this.begin.hidden ? "A decision is not saved yet: this can begin when it is." : "");
  }

  async start() {
    this.begin.disabled = true;
    try {
      await post(this.path(), {});
      if (this.job?.state !== "working") this.follow({ state: "working", done_s: null, total_s: null, what: null, why: null, result: null });
    } catch (error) {
      tell(this.dialog, ".told", error instanceof Error ? error.message : String(error));
      this.begin.disabled = false;
    }
  }

  async stop() {
    this.cancel.disabled = true;
    try {
      await post(this.path("/cancel"), {});
    } catch (error) {
      tell(this.dialog, ".told", error instanceof Error ? error.message : String(error));
    } finally {
      this.cancel.disabled = false;
    }
  }

  /** @param {Delivering} job */
  follow(job) {
    this.job = job;
    const working = job.state === "working";
    this.begin.hidden = true;
    this.cancel.hidden = !working;
    this.bar.hidden = !working;
    part(this.dialog, ".wait", HTMLElement).hidden = true;
    if (job.total_s) {
      this.bar.max = job.total_s;
      this.bar.value = job.done_s ?? 0;
    } else this.bar.removeAttribute("value");
    this.button.textContent = working ? "Delivering …" : "Deliver again";
    const line = { working: job.what ?? "Delivering again …", done: "The new delivery is there.", failed: job.why ?? "It could not be delivered." }[job.state];
    tell(this.dialog, ".told", line);
    this.link.hidden = job.state !== "done" || !job.result;
    if (job.result) this.link.href = `/d/${encodeURIComponent(job.result)}`;
    if (!working) say(line);
  }
}
