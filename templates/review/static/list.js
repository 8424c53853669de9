// The uses of a delivery as a list. Only the rows that can be seen are there, so thousands stay fluid.

import { copyOf, db, part, tag } from "./page.js";

/** @typedef {import("./types.js").Use} Use */
/** @typedef {import("./decisions.js").Decisions} Decisions */

/** @type {Record<string, (use: Use, decided: boolean) => boolean>} */
const FILTERS = {
  all: () => true,
  person: (use) => use.needs_person,
  unfixable: (use) => use.kind === "unfixable",
  undecided: (use, decided) => use.needs_person && !decided,
};
/** Rows beyond the edges, so that a turn of the wheel shows no hole. */
const BEYOND = 8;

/** Tells `choose` (detail: the use's id). */
export class List extends EventTarget {
  /** @param {HTMLElement} root @param {Decisions} decisions */
  constructor(root, decisions) {
    super();
    this.decisions = decisions;
    this.window = part(root, ".window", HTMLElement);
    this.items = part(root, "ul.uses", HTMLElement);
    this.nothing = part(root, ".nothing", HTMLElement);
    this.told = part(root, ".shown", HTMLElement);
    this.order = part(root, "select", HTMLSelectElement);
    this.words = part(root, "input[type=search]", HTMLInputElement);
    this.filters = part(root, ".filters", HTMLElement);
    /** @type {Use[]} */
    this.uses = [];
    /** Those that pass, in order. @type {Use[]} */
    this.shown = [];
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.filter = "all";
    this.chosen = "";
    this.counting = false;
    this.filters.addEventListener("click", (event) => this.choose(event));
    this.order.addEventListener("change", () => this.show());
    this.words.addEventListener("input", () => this.show());
    this.items.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest("li") : null;
      if (item?.dataset.use) this.dispatchEvent(new CustomEvent("choose", { detail: item.dataset.use }));
    });
    // Scrolling does not bubble: the list's own window is heard as well as the page.
    document.addEventListener("scroll", () => this.draw(), { capture: true, passive: true });
    new ResizeObserver(() => this.draw()).observe(root);
    decisions.addEventListener("decision", (event) => this.mark(/** @type {CustomEvent<string>} */ (event).detail));
  }

  /** @param {Use[]} uses */
  fill(uses) {
    this.uses = uses;
    this.show();
  }

  /** @param {Event} event */
  choose(event) {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (!button) return;
    this.filter = button.value;
    for (const one of this.filters.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
    this.show();
  }

  /** Shows what passes the filter and the search, in the order that is asked for. */
  show() {
    const words = this.words.value.trim().toLowerCase();
    const passes = FILTERS[this.filter];
    this.shown = this.uses.filter(
      (use) => passes(use, this.decisions.decided(use.id)) && (!words || `${use.name} ${use.track} ${use.in}`.toLowerCase().includes(words)),
    );
    if (this.order.value === "change") this.shown.sort((one, other) => other.change - one.change);
    const many = this.shown.length;
    this.nothing.hidden = many > 0;
    this.nothing.textContent = this.uses.length ? "No clip passes this filter." : "This delivery has no clips.";
    this.told.textContent = many === this.uses.length ? `${many} clips` : `${many} of ${this.uses.length} clips`;
    this.items.style.setProperty("--many", String(many));
    this.count();
    this.draw();
  }

  /** How many stand behind each filter. */
  count() {
    this.counting = false;
    const decided = this.uses.map((use) => this.decisions.decided(use.id));
    for (const button of this.filters.querySelectorAll("button")) {
      const many = this.uses.filter((use, index) => FILTERS[button.value](use, decided[index])).length;
      part(button, "b", HTMLElement).textContent = String(many);
    }
  }

  get row_px() {
    return this.items.getBoundingClientRect().height / Math.max(1, this.shown.length);
  }

  /** Makes the rows that can be seen, and takes away the others, but for the one with the focus. */
  draw() {
    const row_px = this.row_px;
    if (!this.shown.length || !row_px) return void this.items.replaceChildren();
    const whole = this.items.getBoundingClientRect();
    const seen = this.window.getBoundingClientRect();
    const first = Math.floor((Math.max(seen.top, 0) - whole.top) / row_px) - BEYOND;
    const last = Math.ceil((Math.min(seen.bottom, innerHeight) - whole.top) / row_px) + BEYOND;
    const needed = [];
    for (let index = Math.max(0, first); index < Math.min(last, this.shown.length); index++) needed.push(this.row(index));
    const held = document.activeElement?.closest("li");
    for (const item of [...this.items.children]) {
      if (item instanceof HTMLElement && !needed.includes(item) && item !== held) this.drop(item);
    }
    let next = this.items.firstElementChild;
    for (const item of needed) {
      // Moving a row would take the focus off it: it is put in only where it is not yet.
      if (item === next) next = next.nextElementSibling;
      else this.items.insertBefore(item, next);
    }
  }

  /** @param {HTMLElement} item */
  drop(item) {
    item.remove();
    this.rows.delete(item.dataset.use ?? "");
  }

  /** The row at a place, made where it is not there. @param {number} index */
  row(index) {
    const use = this.shown[index];
    let item = this.rows.get(use.id);
    if (!item) {
      item = rowOf(use);
      this.rows.set(use.id, item);
      this.tell(item, use.id);
    }
    item.style.setProperty("--place", String(index));
    item.setAttribute("aria-posinset", String(index + 1));
    item.setAttribute("aria-setsize", String(this.shown.length));
    return item;
  }

  /** What is decided of a use, and whether it is the chosen one. @param {HTMLElement} item @param {string} use */
  tell(item, use) {
    part(item, ".decided", HTMLElement).textContent = this.decisions.decided(use) ? inWords(this.decisions.of(use)) : "";
    const button = part(item, "button", HTMLButtonElement);
    if (use === this.chosen) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }

  /** @param {string} use */
  mark(use) {
    const item = this.rows.get(use);
    if (item) this.tell(item, use);
    if (this.counting) return;
    this.counting = true;
    requestAnimationFrame(() => this.count());
  }

  /** Points at the use that is shown. @param {string} use */
  point(use) {
    const before = this.chosen;
    this.chosen = use;
    for (const one of [before, use]) {
      const item = this.rows.get(one);
      if (item) this.tell(item, one);
    }
    this.reveal();
  }

  /** Scrolls so that the chosen row is seen. */
  reveal() {
    const index = this.shown.findIndex((use) => use.id === this.chosen);
    if (index < 0) return;
    const { row_px, window: view } = this;
    const top = index * row_px;
    if (view.scrollHeight > view.clientHeight + 1) {
      view.scrollTop = Math.max(Math.min(view.scrollTop, top), top + row_px - view.clientHeight);
    } else if (row_px) scrollTo(0, scrollY + this.items.getBoundingClientRect().top + top - innerHeight / 3);
    this.draw();
  }

  /** The use that many places on among those shown. @param {number} places @returns {string|undefined} */
  beside(places) {
    const here = this.shown.findIndex((use) => use.id === this.chosen);
    return this.shown[here < 0 ? 0 : here + places]?.id;
  }

  focus() {
    this.reveal();
    this.rows.get(this.chosen)?.querySelector("button")?.focus({ preventScroll: true });
  }
}

/** @param {Use} use */
function rowOf(use) {
  const item = copyOf("row");
  item.dataset.use = use.id;
  part(item, "button", HTMLButtonElement).prepend(tag(use.kind, `${use.kind_label}:`));
  part(item, ".name", HTMLElement).textContent = use.name;
  part(item, ".where", HTMLElement).textContent = `${use.in}  ${use.track}`;
  const bar = part(item, "meter", HTMLMeterElement);
  bar.value = use.change;
  bar.hidden = use.intensity_db === null;
  bar.title = `Changed by ${Math.round(100 * use.change)} %`;
  return item;
}

/** @param {import("./types.js").Decision} decision */
function inWords(decision) {
  const words = [];
  if (decision.keep_original) words.push("keep original");
  else if (decision.accept) words.push("accepted");
  if (decision.intensity_db !== null) words.push(db(decision.intensity_db));
  if (decision.de_echo !== null) words.push(decision.de_echo ? "de-echo" : "no de-echo");
  if (decision.room_tone !== null) words.push(decision.room_tone ? "room tone" : "no room tone");
  if (decision.adr) words.push("ADR");
  if (decision.subtitle !== null) words.push("subtitle");
  return words.join(", ");
}
