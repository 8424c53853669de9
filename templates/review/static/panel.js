// What is decided about one use: every button and every letter goes to the server as it is made.

import { part } from "./page.js";

/** @typedef {import("./decisions.js").Decisions} Decisions */
/** @typedef {import("./types.js").Use} Use */
/** @typedef {"accept"|"keep_original"|"adr"} Flag */

const TYPING_MS = 500;

/** The decisions of one use, on the page; follows what other windows decide. */
export class Panel {
  /** @param {HTMLElement} root @param {Decisions} decisions @param {Use} use */
  constructor(root, decisions, use) {
    this.decisions = decisions;
    this.use = use;
    this.flags = [...root.querySelectorAll("button[data-field]")].filter((button) => button instanceof HTMLButtonElement);
    this.subtitle = part(root, "textarea", HTMLTextAreaElement);
    this.elsewhere = part(root, ".elsewhere", HTMLElement);
    this.clear = part(root, ".clear", HTMLButtonElement);
    this.typed = false;
    for (const button of this.flags) button.addEventListener("click", () => this.toggle(/** @type {Flag} */ (button.dataset.field)));
    this.subtitle.addEventListener("input", () => this.type());
    this.subtitle.addEventListener("blur", () => this.leave());
    this.clear.addEventListener("click", () => decisions.set(use.id, { subtitle: null }));
    if (use.kind === "unfixable") part(root, "[data-field=accept] span", HTMLElement).textContent = "Use the best effort";
    this.show();
  }

  /** @param {Flag} field */
  toggle(field) {
    const on = !this.decisions.of(this.use.id)[field];
    // Accepting the treatment and keeping the original exclude each other.
    const other = { accept: { keep_original: false }, keep_original: { accept: false }, adr: {} }[field];
    this.decisions.set(this.use.id, { [field]: on, ...(on ? other : {}) });
  }

  type() {
    this.typed = true;
    this.decisions.set(this.use.id, { subtitle: this.subtitle.value }, TYPING_MS);
  }

  leave() {
    if (!this.typed) return;
    this.typed = false;
    this.decisions.hurry();
    this.show();
  }

  /** Shows what is decided now; a text that is being written stays as it is. */
  show() {
    const decision = this.decisions.of(this.use.id);
    for (const button of this.flags) button.setAttribute("aria-pressed", String(decision[/** @type {Flag} */ (button.dataset.field)]));
    const text = decision.subtitle ?? "";
    const differs = this.subtitle.value !== text;
    this.elsewhere.hidden = !(this.typed && differs);
    if (differs && !this.typed) this.subtitle.value = text;
    this.clear.hidden = decision.subtitle === null;
  }
}
