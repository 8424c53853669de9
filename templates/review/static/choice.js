// Which setting and which intensity is heard, and what it may be compared with: always one thing only.

import { db } from "./page.js";

/** @typedef {import("./types.js").Stems} Stems */
/** @typedef {import("./types.js").Setting} Setting */
/** @typedef {import("./types.js").Rung} Rung */
/** @typedef {import("./types.js").Decision} Decision */
/** @typedef {"de_echo"|"room_tone"} Switch */
/** @typedef {{value: string, label: string, short: string, choice: Choice|null}} Comparison `choice` null: the original. */

/** One point that can be heard: a setting, and a rung of its ladder. */
export class Choice {
  /** @param {Stems} stems @param {Setting} setting @param {number} index */
  constructor(stems, setting, index) {
    this.stems = stems;
    this.setting = setting;
    this.index = index;
  }

  get rungs() {
    return this.stems.rungs[this.setting.key];
  }

  /** @returns {Rung} */
  get rung() {
    return this.rungs[this.index];
  }

  /** @param {Choice} other */
  is(other) {
    return this.setting === other.setting && this.index === other.index;
  }

  /** The rung so many steps on; this one where there is none. @param {number} steps */
  step(steps) {
    const index = Math.min(Math.max(this.index + steps, 0), this.rungs.length - 1);
    return new Choice(this.stems, this.setting, index);
  }

  /** The same with one step of the treatment switched; null where that was not made. @param {Switch} what */
  switched(what) {
    const { de_echo, room_tone } = this.setting;
    if (!matters(this.stems, what)) return null;
    const setting = what === "de_echo" ? settingOf(this.stems, !de_echo, room_tone) : settingOf(this.stems, de_echo, !room_tone);
    return setting && at(this.stems, setting, this.rung.intensity_db);
  }
}

/** @param {Stems} stems @param {boolean} de_echo @param {boolean} room_tone */
function settingOf(stems, de_echo, room_tone) {
  return stems.settings.find((one) => one.de_echo === de_echo && one.room_tone === room_tone) ?? null;
}

/** The rung nearest to an intensity. @param {Stems} stems @param {Setting} setting @param {number} intensity_db */
function at(stems, setting, intensity_db) {
  const away = stems.rungs[setting.key].map((rung) => Math.abs(rung.intensity_db - intensity_db));
  return new Choice(stems, setting, away.indexOf(Math.min(...away)));
}

/** What lies in the delivery. @param {Stems} stems */
export function delivered(stems) {
  const setting = stems.settings.find((one) => one.key === stems.current.key) ?? stems.settings[0];
  return at(stems, setting, stems.current.intensity_db);
}

/** What would be delivered with a decision. @param {Stems} stems @param {Decision} decision */
export function wanted(stems, decision) {
  const now = delivered(stems);
  const de_echo = decision.de_echo ?? now.setting.de_echo;
  const room_tone = decision.room_tone ?? now.setting.room_tone;
  return at(stems, settingOf(stems, de_echo, room_tone) ?? now.setting, decision.intensity_db ?? now.rung.intensity_db);
}

/** The fields of a decision that make a choice the delivered one. @param {Choice} choice @param {Choice} before */
export function fieldsFor(choice, before) {
  /** @type {import("./types.js").Fields} */
  const fields = {};
  if (choice.rung.intensity_db !== before.rung.intensity_db) fields.intensity_db = choice.rung.intensity_db;
  for (const what of /** @type {Switch[]} */ (["de_echo", "room_tone"])) {
    if (choice.setting[what] !== before.setting[what]) fields[what] = choice.setting[what];
  }
  return fields;
}

/**
 * Whether a step of the treatment changes anything in these stems.
 * @param {Stems} stems
 * @param {Switch} what
 */
export function matters(stems, what) {
  const rungs = Object.values(stems.rungs).flat();
  return what === "de_echo" ? rungs.some((rung) => rung.de_echo_on) : rungs.some((rung) => rung.tone !== null);
}

/** A choice in words, all of it. @param {Choice} choice */
export function inWords(choice) {
  const { setting, rung } = choice;
  const words = [db(rung.intensity_db)];
  if (matters(choice.stems, "de_echo")) words.push(setting.de_echo ? "with de-echo" : "without de-echo");
  if (matters(choice.stems, "room_tone")) words.push(setting.room_tone ? "with room tone" : "without room tone");
  return words.join(", ");
}

/** What a choice may be compared with. @param {Choice} choice @param {Choice} now @returns {Comparison[]} */
export function comparisons(choice, now) {
  /** @type {Comparison[]} */
  const found = [{ value: "original", label: "the original", short: "Original", choice: null }];
  if (!choice.is(now)) found.push({ value: "now", label: `as delivered: ${inWords(now)}`, short: "Delivered", choice: now });
  const less = choice.step(-1);
  const more = choice.step(1);
  if (!less.is(choice)) found.push(stepped("less", "a step less", less));
  if (!more.is(choice)) found.push(stepped("more", "a step more", more));
  const words = { de_echo: "de-echo", room_tone: "room tone" };
  for (const what of /** @type {Switch[]} */ (["de_echo", "room_tone"])) {
    const other = choice.switched(what);
    const text = `${other?.setting[what] ? "with" : "without"} ${words[what]}`;
    if (other) found.push({ value: what, label: `the same ${text}`, short: text, choice: other });
  }
  return found;
}

/** @param {string} value @param {string} words @param {Choice} choice @returns {Comparison} */
function stepped(value, words, choice) {
  const level = db(choice.rung.intensity_db);
  return { value, label: `${words}: ${level}`, short: level, choice };
}
