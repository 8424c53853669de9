// The player of one use: two sides on one deck, an intensity to slide, and the setting that is heard.

import { all, medium } from "./api.js";
import { comparisons, delivered, fieldsFor, inWords, matters, wanted } from "./choice.js";
import { Deck } from "./deck.js";
import { loudnessPower, originalRecipe, rungRecipe } from "./mix.js";
import { clock, db, part, say } from "./page.js";
import { SoundPicture } from "./picture.js";

/** @typedef {import("./types.js").Stems} Stems */
/** @typedef {import("./types.js").Use} Use */
/** @typedef {import("./choice.js").Choice} Choice */
/** @typedef {import("./choice.js").Switch} Switch */
/** @typedef {import("./decisions.js").Decisions} Decisions */
/** @typedef {import("./mix.js").Recipe} Recipe */

const NOTHING = { de_echo: "There is no echo here that is worth taking off", room_tone: "There is no room tone to lay here" };
/** Of a loop that is longer, so much is listened to for its loudness. */
const LISTEN_S = 10;

export class Player {
  /** @param {HTMLElement} root @param {Stems} stems @param {Use} use @param {Decisions} decisions @param {{a: Recipe, b: Recipe}} recipes */
  constructor(root, stems, use, decisions, recipes) {
    this.root = root;
    this.stems = stems;
    this.use = use.id;
    /** Beyond saving: what was made of it lies beside the original, switched off. */
    this.offered = use.kind === "unfixable";
    this.decisions = decisions;
    this.deck = new Deck(stems, recipes);
    /** What is heard as B. */
    this.choice = wanted(stems, decisions.of(use.id));
    this.compare = "original";
    this.controls = controlsOf(root);
    this.pictures = [...root.querySelectorAll("sound-picture")].filter((one) => one instanceof SoundPicture);
    /** @type {Map<string, Promise<number>>} */
    this.powers = new Map();
    this.turn = 0;
    this.closed = false;
    this.ticking = false;
  }

  /** A player whose sounds are known. @param {HTMLElement} root @param {Stems} stems @param {Use} use @param {Decisions} decisions */
  static async open(root, stems, use, decisions) {
    const choice = wanted(stems, decisions.of(use.id));
    const recipes = { a: originalRecipe(stems), b: await rungRecipe(choice.rung) };
    const pairs = new Int8Array(await all(stems.peaks));
    const player = new Player(root, stems, use, decisions, recipes);
    player.paint(pairs);
    player.wire();
    part(root, "figure.heard figcaption", HTMLElement).textContent = `As delivered, ${inWords(delivered(stems))}`;
    player.showChoice();
    player.level();
    player.deck.at = Math.round(stems.moment.start_s * stems.rate_hz);
    player.showPlace();
    return player;
  }

  get length_s() {
    return this.stems.length_samples / this.stems.rate_hz;
  }

  /** @param {Int8Array} pairs */
  paint(pairs) {
    const { moment, speech, spectrograms } = this.stems;
    const half = pairs.length / 2;
    const peak = pairs.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const sides = [spectrograms.original, spectrograms.current];
    const words = ["original", "as delivered"];
    this.pictures.forEach((picture, side) => {
      const own = pairs.subarray(side * half, (side + 1) * half);
      picture.show({ pairs: own, peak, length_s: this.length_s, speech, moment, spectrogram: medium(sides[side]), words: words[side] });
      picture.addEventListener("seek", (event) => this.seek(/** @type {CustomEvent<number>} */ (event).detail * this.length_s));
    });
  }

  wire() {
    const { play, a, b, compare, seek, loop, matched, intensity, switches, take, back } = this.controls;
    play.addEventListener("click", () => this.toggle());
    a.addEventListener("click", () => this.hear("a"));
    b.addEventListener("click", () => this.hear("b"));
    compare.addEventListener("change", () => this.compareWith(compare.value));
    seek.max = String(this.length_s);
    seek.addEventListener("input", () => this.seek(Number(seek.value)));
    loop.addEventListener("click", () => this.toggleLoop());
    matched.addEventListener("change", () => this.level());
    intensity.addEventListener("input", () => this.choose(this.choice.step(Number(intensity.value) - this.choice.index)));
    for (const [what, box] of switches) box.addEventListener("change", () => this.choose(this.choice.switched(what)));
    take.addEventListener("click", () => this.take());
    back.addEventListener("click", () => this.choose(wanted(this.stems, this.decisions.of(this.use))));
    this.deck.addEventListener("change", () => this.showDeck());
    this.deck.addEventListener("fail", (event) => this.fail(/** @type {CustomEvent<string>} */ (event).detail));
  }

  /** Plays, or stops. */
  toggle() {
    this.deck.play(this.deck.playing ? 0 : 1);
  }

  /** As J and L in an editor: again is faster. @param {1|-1} way */
  shuttle(way) {
    const { step } = this.deck;
    this.deck.play(Math.sign(step) === way ? way * Math.min(2 * Math.abs(step), 4) : way);
  }

  stop() {
    this.deck.play(0);
  }

  /** @param {"a"|"b"} side */
  hear(side) {
    this.deck.hear(side);
    say(`${side.toUpperCase()}: ${this.controls[side].textContent?.trim().slice(1).trim()}`);
  }

  swap() {
    this.hear(this.deck.side === "a" ? "b" : "a");
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.deck.seek(seconds * this.stems.rate_hz);
    this.showPlace();
  }

  toggleLoop() {
    const { moment, rate_hz, length_samples } = this.stems;
    const loop = { from: Math.round(moment.start_s * rate_hz), to: Math.min(Math.round(moment.end_s * rate_hz), length_samples) };
    this.deck.round(this.deck.loop ? null : loop);
  }

  /** Another point is heard as B; null where it was not made. @param {Choice|null} choice */
  choose(choice) {
    if (choice && !choice.is(this.choice)) {
      this.choice = choice;
      this.retune();
    }
    this.showChoice();
  }

  /** @param {number} steps */
  step(steps) {
    this.choose(this.choice.step(steps));
    say(db(this.choice.rung.intensity_db));
  }

  /** @param {string} value */
  compareWith(value) {
    this.compare = value;
    this.retune();
    this.showChoice();
  }

  get comparison() {
    const found = comparisons(this.choice, delivered(this.stems));
    return found.find((one) => one.value === this.compare) ?? found[0];
  }

  async retune() {
    const turn = ++this.turn;
    const against = this.comparison.choice;
    try {
      const recipes = await Promise.all([against ? rungRecipe(against.rung) : originalRecipe(this.stems), rungRecipe(this.choice.rung)]);
      if (turn !== this.turn || this.closed) return;
      await Promise.all([this.deck.set("a", recipes[0]), this.deck.set("b", recipes[1])]);
      await this.level();
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** Turns the louder side down to the other, where that is wanted. */
  async level() {
    if (!this.controls.matched.checked) return this.deck.trim({ a: 1, b: 1 });
    const { a, b } = this.deck.recipes;
    try {
      const [one, other] = await Promise.all([this.power(a), this.power(b)]);
      if (a !== this.deck.recipes.a || b !== this.deck.recipes.b || !one || !other) return;
      if (this.controls.matched.checked) this.deck.trim({ a: Math.min(1, Math.sqrt(other / one)), b: Math.min(1, Math.sqrt(one / other)) });
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** @param {Recipe} recipe */
  power(recipe) {
    const { sounds, gains } = recipe;
    const key = JSON.stringify([sounds.voice.id, sounds.background?.id, sounds.tone?.id, gains]);
    const { moment, rate_hz, length_samples } = this.stems;
    const from = Math.round(moment.start_s * rate_hz);
    const length_s = Math.min(moment.end_s - moment.start_s, LISTEN_S);
    const count = Math.max(1, Math.min(Math.round(length_s * rate_hz), length_samples - from));
    const power = this.powers.get(key) ?? loudnessPower(recipe, this.stems, from, count);
    this.powers.set(key, power);
    power.catch(() => this.powers.delete(key));
    return power;
  }

  /** What is heard is to be delivered. */
  take() {
    const fields = fieldsFor(this.choice, wanted(this.stems, this.decisions.of(this.use)));
    this.decisions.set(this.use, { ...fields, keep_original: false, ...(this.offered ? { accept: true } : {}) });
    say(`To be delivered: ${inWords(this.choice)}`);
    this.controls.intensity.focus();
  }

  showChoice() {
    const { intensity, level, ticks, switches, compare, b, a, limited } = this.controls;
    const { rung, rungs, index, setting } = this.choice;
    intensity.max = String(rungs.length - 1);
    intensity.value = String(index);
    intensity.disabled = rungs.length < 2;
    intensity.setAttribute("aria-valuetext", `${db(rung.intensity_db)} down`);
    level.textContent = db(rung.intensity_db);
    ticks.replaceChildren(...rungs.map(tick));
    for (const [what, box] of switches) {
      box.checked = setting[what];
      box.disabled = !this.choice.switched(what);
      box.checked &&= matters(this.stems, what);
      const label = /** @type {HTMLElement} */ (box.parentElement);
      label.title = box.disabled ? NOTHING[what] : "";
    }
    const found = comparisons(this.choice, delivered(this.stems));
    compare.replaceChildren(...found.map((one) => new Option(one.label, one.value)));
    this.compare = compare.value = this.comparison.value;
    part(a, "span", HTMLElement).textContent = this.comparison.short;
    part(b, "span", HTMLElement).textContent = db(rung.intensity_db);
    limited.hidden = !rung.limited;
    this.showWanted();
  }

  /** What will be delivered, beside what is heard. */
  showWanted() {
    const { will, take, back } = this.controls;
    const decision = this.decisions.of(this.use);
    const to_come = wanted(this.stems, decision);
    const same = this.choice.is(to_come);
    const beside = this.offered && !decision.accept;
    if (decision.keep_original) will.textContent = "The original stays in place.";
    else if (beside) will.textContent = `The original plays; beside it, switched off: ${inWords(to_come)}.`;
    else will.textContent = `To be delivered: ${inWords(to_come)}.`;
    take.hidden = same && !decision.keep_original && !beside;
    take.textContent = `Deliver ${db(this.choice.rung.intensity_db)} instead`;
    back.hidden = same;
  }

  showDeck() {
    if (!this.ticking) this.tick();
    const { play, a, b, loop } = this.controls;
    const { side, playing, step } = this.deck;
    play.textContent = playing ? "Stop" : "Play";
    part(this.root, ".speed", HTMLElement).textContent = playing && step !== 1 ? `${step < 0 ? "back " : ""}${Math.abs(step)}×` : "";
    a.setAttribute("aria-pressed", String(side === "a"));
    b.setAttribute("aria-pressed", String(side === "b"));
    loop.setAttribute("aria-pressed", String(this.deck.loop !== null));
    this.pictures.forEach((picture) => picture.loop(this.deck.loop !== null));
    const heard = side === "b" ? 1 : Number(this.compare !== "original");
    this.root.querySelectorAll("figure").forEach((figure, index) => figure.classList.toggle("heard", index === heard));
  }

  /** Follows the sound on the pictures, as long as it plays. */
  tick() {
    this.showPlace();
    this.ticking = this.deck.playing && !this.closed;
    if (this.ticking) requestAnimationFrame(() => this.tick());
  }

  showPlace() {
    const seconds = this.deck.position / this.stems.rate_hz;
    const { seek, time } = this.controls;
    const words = clock(seconds);
    if (time.textContent === words) return;
    time.textContent = words;
    seek.value = String(seconds);
    seek.setAttribute("aria-valuetext", `${words} of ${clock(this.length_s)}`);
    for (const picture of this.pictures) picture.needle(seconds / this.length_s);
  }

  /** @param {string} why */
  fail(why) {
    const line = part(this.root, ".failed", HTMLElement);
    line.hidden = false;
    line.textContent = `This cannot be played now: ${why}`;
  }

  close() {
    this.closed = true;
    this.deck.play(0);
  }
}

/** @param {HTMLElement} root */
function controlsOf(root) {
  /** @param {string} selector */
  const button = (selector) => part(root, selector, HTMLButtonElement);
  /** @param {string} selector */
  const input = (selector) => part(root, selector, HTMLInputElement);
  /** @type {[Switch, HTMLInputElement][]} */
  const switches = [["de_echo", input(".de-echo")], ["room_tone", input(".room-tone")]];
  return {
    play: button(".play"),
    a: button(".a"),
    b: button(".b"),
    loop: button(".loop"),
    take: button(".take"),
    back: button(".back"),
    compare: part(root, ".compare", HTMLSelectElement),
    seek: input(".seek"),
    intensity: input(".intensity"),
    matched: input(".matched"),
    switches,
    level: part(root, ".level", HTMLElement),
    ticks: part(root, ".ticks", HTMLElement),
    time: part(root, ".time", HTMLElement),
    will: part(root, ".will", HTMLElement),
    limited: part(root, ".limited", HTMLElement),
  };
}

/** @param {import("./types.js").Rung} rung */
function tick(rung) {
  const made = document.createElement("i");
  made.textContent = String(Number(rung.intensity_db.toFixed(1)));
  return made;
}
