// Two recipes side by side on one clock. Switching between them is a change of two gains, so there is
// no gap and no other place; so is another intensity, where it shares its sounds.

import { Lane, RAMP_S, ramp, sameSounds } from "./mix.js";
import { PIECE } from "./wav.js";

/** @typedef {import("./mix.js").Recipe} Recipe */
/** @typedef {import("./mix.js").Shape} Shape */
/** @typedef {"a"|"b"} Side */
/** @typedef {{from: number, to: number}} Loop In samples. */
/** @typedef {{lane: Lane, frame: number, time_s: number, over: boolean}} Track What of a lane comes next, and when. */

const AHEAD_S = 2.5;
const PUMP_MS = 100;
/** From the word to the sound: as short as the machine is quick enough for. */
const LEAD_S = 0.04;
const MOST_LEAD_S = 0.6;
/** Less sound than this before the needle: it would run dry before the next look. */
const DRY_S = 0.05;

/** @type {Side[]} */
const SIDES = ["a", "b"];

/** @type {AudioContext|null} */
let context = null;

/** The one context, at this rate. @param {number} rate_hz */
function contextAt(rate_hz) {
  if (context?.sampleRate !== rate_hz) {
    context?.close();
    context = new AudioContext({ sampleRate: rate_hz, latencyHint: "interactive" });
  }
  return context;
}

/** Plays `a` and `b`; tells `change` when its state changes, and `fail` (with `detail`) when it cannot go on. */
export class Deck extends EventTarget {
  /** @param {Shape} shape @param {{a: Recipe, b: Recipe}} recipes */
  constructor(shape, recipes) {
    super();
    this.shape = shape;
    this.recipes = recipes;
    this.trims = { a: 1, b: 1 };
    /** @type {Side} */
    this.side = "b";
    /** 0: still; 1, 2, 4 forwards; -1, -2, -4 backwards. */
    this.step = 0;
    this.at = 0;
    /** @type {Loop|null} */
    this.loop = null;
    /** @type {{a: Track, b: Track}|null} */
    this.tracks = null;
    this.origin = { frame: 0, time_s: 0 };
    this.tries = 0;
    this.timer = 0;
    this.lead_s = LEAD_S;
    /** Whether what was started is heard: it began in time. */
    this.heard = false;
  }

  get playing() {
    return this.step !== 0;
  }

  /** The sample that is heard now, or would be. */
  get position() {
    if (!this.tracks || !context || !this.heard) return this.at;
    return this.after(Math.max(0, (context.currentTime - this.origin.time_s) * this.shape.rate_hz));
  }

  /** Where the needle stands `steps` samples of the clock after the start. @param {number} steps */
  after(steps) {
    const to = this.origin.frame + steps * this.step;
    const loop = this.loop;
    if (!loop) return Math.min(Math.max(to, 0), this.shape.length_samples);
    const length = loop.to - loop.from;
    if (this.step > 0 && to >= loop.to) return loop.from + ((to - loop.from) % length);
    if (this.step < 0 && to <= loop.from) return loop.to - ((loop.to - to) % length);
    return to;
  }

  /** Plays at a step; 0 stops. @param {number} step */
  async play(step) {
    this.halt();
    this.step = step;
    this.changed();
    if (!step) return;
    if (!this.loop && step > 0 && this.at >= this.shape.length_samples) this.at = 0;
    const mine = ++this.tries;
    const here = contextAt(this.shape.rate_hz);
    try {
      await here.resume();
      await this.fetch(this.at);
    } catch (error) {
      if (mine === this.tries) this.fail(error);
      return;
    }
    if (mine === this.tries) this.start(here);
  }

  /** Both sides' piece at a sample. @param {number} frame */
  async fetch(frame) {
    const needed = frame - (this.step < 0 ? 1 : 0);
    await Promise.all([this.lane("a", 0), this.lane("b", 0)].map((lane) => lane.load(Math.max(0, needed))));
  }

  /** @param {Side} side @param {number} loudness */
  lane(side, loudness) {
    return new Lane(contextAt(this.shape.rate_hz), this.recipes[side], this.shape, loudness);
  }

  /** @param {AudioContext} here */
  start(here) {
    const time_s = here.currentTime + this.lead_s;
    this.origin = { frame: Math.round(this.at), time_s };
    /** @param {Side} side @returns {Track} */
    const track = (side) => {
      const lane = this.lane(side, 0);
      lane.out.connect(speakers(here, this.shape.channels));
      return { lane, frame: this.origin.frame, time_s, over: false };
    };
    this.heard = false;
    this.tracks = { a: track("a"), b: track("b") };
    const { tracks } = this;
    this.timer = setInterval(() => this.pump(), PUMP_MS);
    this.pump();
    // Not heard before it is sure that all parts begin together.
    if (tracks !== this.tracks) return;
    for (const side of SIDES) tracks[side].lane.out.gain.setValueAtTime(this.loudness(side), time_s);
    this.heard = true;
    this.changed();
  }

  /** @param {Side} side */
  loudness(side) {
    return side === this.side ? this.trims[side] : 0;
  }

  /** Schedules what comes next of every lane. */
  pump() {
    if (!this.tracks || !context) return;
    const tracks = [this.tracks.a, this.tracks.b];
    for (const track of tracks) {
      while (!track.over && track.time_s < context.currentTime + AHEAD_S) {
        const begin_s = track.time_s;
        const there = this.next(track);
        // Parts that are begun late are begun one after another, and out of step.
        if (there ? context.currentTime >= begin_s : begin_s < context.currentTime + DRY_S) return this.wait();
        if (!there) break;
      }
    }
    const end_s = Math.max(...tracks.map((track) => track.time_s));
    if (tracks.every((track) => track.over) && context.currentTime > end_s) this.play(0);
  }

  /** Schedules one piece; false where it has to be fetched first. @param {Track} track */
  next(track) {
    const cut = this.cut(track.frame);
    if (!cut) {
      track.over = true;
      return true;
    }
    for (const ahead of [0, 1, 2]) track.lane.load(cut.from + ahead * PIECE * Math.sign(this.step)).catch((error) => this.fail(error));
    if (!track.lane.ready(cut.from)) return false;
    track.lane.play(cut.from, cut.count, track.time_s, this.step);
    track.time_s += cut.count / (this.shape.rate_hz * Math.abs(this.step));
    track.frame = cut.next;
    return true;
  }

  /**
   * What is played from a sample on, up to the end of its piece, the loop or the sound.
   * @param {number} frame
   * @returns {{from: number, count: number, next: number}|null}
   */
  cut(frame) {
    const { loop, step } = this;
    if (step > 0) {
      const end = loop ? loop.to : this.shape.length_samples;
      if (frame >= end) return loop ? this.cut(loop.from) : null;
      const to = Math.min(end, (Math.floor(frame / PIECE) + 1) * PIECE);
      return { from: frame, count: to - frame, next: to === loop?.to ? loop.from : to };
    }
    const begin = loop ? loop.from : 0;
    if (frame <= begin) return loop ? this.cut(loop.to) : null;
    const from = Math.max(begin, Math.floor((frame - 1) / PIECE) * PIECE);
    return { from, count: frame - from, next: from === loop?.from ? loop.to : from };
  }

  /** The sound has not come yet, or too late: stands still, and goes on from here when it has. */
  wait() {
    this.lead_s = Math.min(2 * this.lead_s, MOST_LEAD_S);
    this.play(this.step);
  }

  /** Silence at once; the needle stays. */
  halt() {
    this.tries++;
    clearInterval(this.timer);
    this.at = this.position;
    if (this.tracks && context) for (const track of [this.tracks.a, this.tracks.b]) track.lane.end(context.currentTime);
    this.tracks = null;
  }

  /** @param {unknown} error */
  fail(error) {
    if (!this.step) return;
    this.play(0);
    this.dispatchEvent(new CustomEvent("fail", { detail: error instanceof Error ? error.message : String(error) }));
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Goes to a sample, playing on. A place outside the loop ends the loop. @param {number} frame */
  seek(frame) {
    const step = this.step;
    this.halt();
    this.at = Math.min(Math.max(Math.round(frame), 0), this.shape.length_samples);
    if (this.loop && (this.at < this.loop.from || this.at >= this.loop.to)) this.loop = null;
    this.play(step);
  }

  /** Goes round a stretch, or no longer. @param {Loop|null} loop */
  round(loop) {
    const step = this.step;
    this.halt();
    this.loop = loop;
    if (loop && (this.at < loop.from || this.at >= loop.to)) this.at = loop.from;
    this.play(step);
  }

  /** Which side is heard. @param {Side} side */
  hear(side) {
    this.side = side;
    this.fade();
    this.changed();
  }

  /** How loud each side is beside the other (linear). @param {{a: number, b: number}} trims */
  trim(trims) {
    this.trims = trims;
    this.fade();
  }

  fade() {
    if (!this.tracks || !context) return;
    for (const side of SIDES) ramp(this.tracks[side].lane.out.gain, this.loudness(side), context.currentTime);
  }

  /** Another recipe for a side, from now on. @param {Side} side @param {Recipe} recipe */
  async set(side, recipe) {
    this.recipes[side] = recipe;
    if (!this.tracks) return;
    if (sameSounds(this.tracks[side].lane.recipe, recipe)) return this.tracks[side].lane.retune(recipe);
    try {
      await this.replace(side, recipe);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Lets another lane take over, in step, when its sound has come. @param {Side} side @param {Recipe} recipe */
  async replace(side, recipe) {
    const { tries } = this;
    while (tries === this.tries && this.recipes[side] === recipe && this.tracks && context) {
      const lane = this.lane(side, 0);
      const steps = Math.max(0, Math.ceil((context.currentTime + this.lead_s - this.origin.time_s) * this.shape.rate_hz));
      const track = { lane, frame: this.after(steps), time_s: this.origin.time_s + steps / this.shape.rate_hz, over: false };
      const cut = this.cut(track.frame);
      if (cut && !lane.ready(cut.from)) {
        await lane.load(cut.from);
        continue;
      }
      lane.out.connect(speakers(context, this.shape.channels));
      const { time_s } = track;
      this.next(track);
      if (context.currentTime >= time_s) {
        lane.end(context.currentTime);
        this.lead_s = Math.min(2 * this.lead_s, MOST_LEAD_S);
        continue;
      }
      this.tracks[side].lane.end(time_s);
      this.tracks[side] = track;
      lane.out.gain.setValueAtTime(0, time_s);
      lane.out.gain.linearRampToValueAtTime(this.loudness(side), time_s + RAMP_S);
      return this.pump();
    }
  }
}

/**
 * Where sound goes to be heard. Layouts that a browser has no rule for (three channels, eight) would
 * lose channels: they are heard as their sum.
 * @param {AudioContext} here
 * @param {number} channels
 */
function speakers(here, channels) {
  if ([1, 2, 4, 6].includes(channels)) return here.destination;
  const splitter = new ChannelSplitterNode(here, { numberOfOutputs: channels });
  const sum = new GainNode(here, { gain: 1 / Math.sqrt(channels), channelCount: 1, channelCountMode: "explicit" });
  for (let channel = 0; channel < channels; channel++) splitter.connect(sum, channel);
  sum.connect(here.destination);
  return splitter;
}
