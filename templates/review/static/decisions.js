// Decisions are saved as they are made. What is not saved yet is kept in this browser as well, is
// sent again until the server has it, and is shown as not saved until then.

import { Away, Refused, post } from "./api.js";

/** @typedef {import("./types.js").Decision} Decision */
/** @typedef {import("./types.js").Fields} Fields */
/** @typedef {import("./types.js").Use} Use */
/** @typedef {{fields: Fields, revision: number}} Known What the server has of a use. */
/** @typedef {{decision: Fields, revision: number, overwrote?: string[]}} Answer */
/** @typedef {"saved"|"saving"|"away"|"locked"} State */

/** @type {Decision} */
const UNDECIDED = {
  accept: false,
  keep_original: false,
  intensity_db: null,
  de_echo: null,
  room_tone: null,
  adr: false,
  subtitle: null,
};
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;

/** Tells `state` when saving goes on or stands, `decision` (detail: the use's id), and `refused` (detail: a line). */
export class Decisions extends EventTarget {
  /** @param {string} delivery @param {Storage} storage */
  constructor(delivery, storage) {
    super();
    this.delivery = delivery;
    this.storage = storage;
    this.client = crypto.getRandomValues(new Uint32Array(2)).join("-");
    /** @type {Map<string, Known>} */
    this.known = new Map();
    /** @type {Map<string, Fields>} */
    this.waiting = new Map();
    /** @type {State} */
    this.state = "saved";
    this.retry_ms = FIRST_RETRY_MS;
    this.sending = false;
    this.timer = 0;
    /** Why the last try failed. */
    this.why = "";
  }

  get unsaved() {
    return this.waiting.size;
  }

  /** What the server says of all uses. @param {Use[]} uses */
  learn(uses) {
    for (const { id, decision, revision } of uses) this.adopt(id, decision, revision);
    this.recover();
    this.send();
  }

  /** What another window has decided, or this one. @param {string} use @param {Fields} fields @param {number} revision */
  adopt(use, fields, revision) {
    const known = this.known.get(use);
    if (known && known.revision >= revision) return;
    this.known.set(use, { fields, revision });
    this.dispatchEvent(new CustomEvent("decision", { detail: use }));
  }

  /** What is decided of a use, saved or not. @param {string} use @returns {Decision} */
  of(use) {
    return { ...UNDECIDED, ...this.known.get(use)?.fields, ...this.waiting.get(use) };
  }

  /** Whether anything is decided of a use. @param {string} use */
  decided(use) {
    const decision = this.of(use);
    return Object.entries(UNDECIDED).some(([field, value]) => decision[/** @type {keyof Decision} */ (field)] !== value);
  }

  /**
   * Decides; `after_ms` waits for more of the same, as while somebody types.
   * @param {string} use
   * @param {Fields} fields
   * @param {number} [after_ms]
   */
  set(use, fields, after_ms = 0) {
    this.waiting.set(use, { ...this.waiting.get(use), ...fields });
    this.keep();
    this.move(this.state === "saved" ? "saving" : this.state);
    this.dispatchEvent(new CustomEvent("decision", { detail: use }));
    this.later(after_ms);
  }

  /** @param {number} after_ms */
  later(after_ms) {
    clearTimeout(this.timer);
    if (after_ms) this.timer = setTimeout(() => this.send(), after_ms);
    else this.send();
  }

  /** Tries at once: the server is here again, or nobody types any more. */
  hurry() {
    this.retry_ms = FIRST_RETRY_MS;
    this.later(0);
  }

  async send() {
    if (this.sending) return;
    clearTimeout(this.timer);
    this.sending = true;
    try {
      for (let next = this.first(); next; next = this.first()) await this.save(...next);
      this.retry_ms = FIRST_RETRY_MS;
      this.move("saved");
    } catch (error) {
      this.stumble(error);
    } finally {
      this.sending = false;
    }
  }

  /** @returns {[string, Fields]|undefined} */
  first() {
    return this.waiting.entries().next().value;
  }

  /** @param {string} use @param {Fields} fields */
  async save(use, fields) {
    if (this.state === "saved") this.move("saving");
    const path = `/api/d/${encodeURIComponent(this.delivery)}/uses/${encodeURIComponent(use)}/decision`;
    const base_revision = this.known.get(use)?.revision ?? 0;
    try {
      /** @type {Answer} */
      const answer = await post(path, { base_revision, set: fields, client: this.client });
      this.settle(use, fields);
      this.adopt(use, answer.decision, answer.revision);
    } catch (error) {
      if (!(error instanceof Refused) || error.locked) throw error;
      this.settle(use, fields);
      this.dispatchEvent(new CustomEvent("refused", { detail: error.message }));
      this.dispatchEvent(new CustomEvent("decision", { detail: use }));
    }
  }

  /** Forgets what was sent, not what was decided meanwhile. @param {string} use @param {Fields} sent */
  settle(use, sent) {
    const left = Object.entries(this.waiting.get(use) ?? {}).filter(
      ([field, value]) => !(field in sent) || sent[/** @type {keyof Fields} */ (field)] !== value,
    );
    this.waiting.delete(use);
    if (left.length) this.waiting.set(use, Object.fromEntries(left));
    this.keep();
  }

  /** @param {unknown} error */
  stumble(error) {
    if (error instanceof Refused) return this.move("locked");
    if (!(error instanceof Away)) throw error;
    this.why = error.message;
    this.move("away");
    this.timer = setTimeout(() => this.send(), this.retry_ms);
    this.retry_ms = Math.min(2 * this.retry_ms, LAST_RETRY_MS);
  }

  /** @param {State} state */
  move(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  get shelf() {
    return `nlecompanion-review ${this.delivery} `;
  }

  /** Keeps what is not saved where a closed or crashed page does not lose it. */
  keep() {
    const key = this.shelf + this.client;
    if (this.waiting.size) this.storage.setItem(key, JSON.stringify([...this.waiting]));
    else this.storage.removeItem(key);
  }

  /** Takes up what an earlier page could not save; saving it twice changes nothing. */
  recover() {
    const own = this.shelf + this.client;
    const keys = Array.from({ length: this.storage.length }, (_, index) => this.storage.key(index) ?? "");
    for (const key of keys.filter((name) => name.startsWith(this.shelf) && name !== own)) {
      /** @type {[string, Fields][]} */
      const left = JSON.parse(this.storage.getItem(key) ?? "[]");
      for (const [use, fields] of left) if (this.known.has(use)) this.waiting.set(use, { ...fields, ...this.waiting.get(use) });
      this.storage.removeItem(key);
    }
    this.keep();
  }
}
