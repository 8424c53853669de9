// The mix of the render, in Web Audio:
//   level * ride(t) * (voice + background_gain * background) + tone_gain * tone
// The same nodes play to the ear and render for the test that compares them with the delivered file.

import { all } from "./api.js";
import { PIECE, Sound } from "./wav.js";

/** @typedef {import("./types.js").Rung} Rung */
/** @typedef {import("./types.js").Stems} Stems */
/** @typedef {{rate_hz: number, channels: number, length_samples: number}} Shape */
/** @typedef {{background: number, tone: number, level: number}} Gains Linear. */
/** @typedef {{sounds: {voice: Sound, background: Sound|null, tone: Sound|null}, ride: Float32Array|null, gains: Gains}} Recipe */

/** A change of gain is a ramp of this length, so that nothing clicks. */
export const RAMP_S = 0.012;
const RIDE_POINTS_HZ = 100;

/** @type {Map<string, Sound>} */
const sounds = new Map();
/** @type {Map<string, Promise<Float32Array>>} */
const rides = new Map();

/** @param {string} id */
function soundOf(id) {
  const sound = sounds.get(id) ?? new Sound(id);
  sounds.set(id, sound);
  return sound;
}

/** @param {string} id */
function rideOf(id) {
  const ride = rides.get(id) ?? all(id).then((raw) => new Float32Array(raw));
  rides.set(id, ride);
  ride.catch(() => rides.delete(id));
  return ride;
}

/**
 * The untouched sound.
 * @param {Stems} stems
 * @returns {Recipe}
 */
export function originalRecipe(stems) {
  const sounds = { voice: soundOf(stems.original), background: null, tone: null };
  return { sounds, ride: null, gains: { background: 0, tone: 0, level: stems.original_gain ?? 1 } };
}

/**
 * What a rung sounds like.
 * @param {Rung} rung
 * @returns {Promise<Recipe>}
 */
export async function rungRecipe(rung) {
  return {
    sounds: {
      voice: soundOf(rung.voice),
      background: soundOf(rung.background),
      tone: rung.tone === null ? null : soundOf(rung.tone),
    },
    ride: rung.level.ride === null ? null : await rideOf(rung.level.ride),
    gains: { background: rung.background_gain, tone: rung.tone_gain, level: rung.level.gain },
  };
}

/**
 * Whether only gains differ, so that one can become the other while it plays.
 * @param {Recipe} one
 * @param {Recipe} other
 */
export function sameSounds(one, other) {
  const { voice, background, tone } = one.sounds;
  const there = other.sounds;
  return voice === there.voice && background === there.background && tone === there.tone && one.ride === other.ride;
}

/**
 * The ride's factor at each of `count` samples from `from` on.
 * @param {Float32Array} points
 * @param {number} from
 * @param {number} count
 * @param {number} rate_hz
 */
export function rideAt(points, from, count, rate_hz) {
  const last = points.length - 1;
  const factors = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const place = Math.min(((from + index) * RIDE_POINTS_HZ) / rate_hz, last);
    const before = Math.min(Math.floor(place), Math.max(last - 1, 0));
    const after = Math.min(before + 1, last);
    factors[index] = points[before] + (place - before) * (points[after] - points[before]);
  }
  return factors;
}

/** One recipe's nodes; what is played through them ends in `out`, which starts at `loudness`. */
export class Lane {
  /**
   * @param {BaseAudioContext} context
   * @param {Recipe} recipe
   * @param {Shape} shape
   * @param {number} loudness
   */
  constructor(context, recipe, shape, loudness) {
    this.context = context;
    this.recipe = recipe;
    this.shape = shape;
    this.background = new GainNode(context, { gain: recipe.gains.background });
    this.ride = new GainNode(context, { gain: recipe.ride ? 0 : 1 });
    this.level = new GainNode(context, { gain: recipe.gains.level });
    this.tone = new GainNode(context, { gain: recipe.gains.tone });
    this.out = new GainNode(context, { gain: loudness });
    this.background.connect(this.ride).connect(this.level).connect(this.out);
    this.tone.connect(this.out);
    /** @type {Set<AudioBufferSourceNode>} */
    this.running = new Set();
    this.ended = false;
  }

  /** @returns {[Sound, AudioNode][]} */
  get parts() {
    const { voice, background, tone } = this.recipe.sounds;
    /** @type {[Sound|null, AudioNode][]} */
    const every = [[voice, this.ride], [background, this.background], [tone, this.tone]];
    return /** @type {[Sound, AudioNode][]} */ (every.filter(([sound]) => sound !== null));
  }

  /** Whether the piece with this sample lies ready. @param {number} from */
  ready(from) {
    return this.parts.every(([sound]) => sound.kept(Math.floor(from / PIECE)) !== null);
  }

  /** Fetches the piece with this sample. @param {number} from */
  async load(from) {
    if (from < 0 || from >= this.shape.length_samples) return;
    await Promise.all(this.parts.map(([sound]) => sound.piece(Math.floor(from / PIECE))));
  }

  /**
   * Plays `count` samples from `from` on, which lie in one piece that is ready, at the context's `time_s`.
   * @param {number} from
   * @param {number} count
   * @param {number} time_s
   * @param {number} step 1 forwards, -1 backwards, 2 twice as fast
   */
  play(from, count, time_s, step) {
    const number = Math.floor(from / PIECE);
    const first = from - number * PIECE;
    for (const [sound, into] of this.parts) {
      const piece = sound.kept(number);
      if (!piece) throw new Error(`Piece ${number} of ${sound.id} is not there.`);
      this.start(piece.map((channel) => channel.slice(first, first + count)), into, time_s, step);
    }
    if (this.recipe.ride) this.start([rideAt(this.recipe.ride, from, count, this.shape.rate_hz)], this.ride.gain, time_s, step);
  }

  /**
   * @param {Float32Array<ArrayBuffer>[]} channels
   * @param {AudioNode|AudioParam} into
   * @param {number} time_s
   * @param {number} step
   */
  start(channels, into, time_s, step) {
    const buffer = new AudioBuffer({
      length: channels[0].length,
      numberOfChannels: channels.length,
      sampleRate: this.shape.rate_hz,
    });
    channels.forEach((samples, index) => buffer.copyToChannel(step < 0 ? samples.reverse() : samples, index));
    const source = new AudioBufferSourceNode(this.context, { buffer, playbackRate: Math.abs(step) });
    // An input of a node and one of its parameters are connected alike; the types tell them apart.
    if (into instanceof AudioParam) source.connect(into);
    else source.connect(into);
    source.addEventListener("ended", () => this.over(source));
    this.running.add(source);
    source.start(time_s);
  }

  /** @param {AudioBufferSourceNode} source */
  over(source) {
    source.disconnect();
    this.running.delete(source);
    if (this.ended && !this.running.size) this.out.disconnect();
  }

  /** Other gains for the same sounds, from now on. @param {Recipe} recipe */
  retune(recipe) {
    this.recipe = recipe;
    ramp(this.background.gain, recipe.gains.background, this.context.currentTime);
    ramp(this.level.gain, recipe.gains.level, this.context.currentTime);
    ramp(this.tone.gain, recipe.gains.tone, this.context.currentTime);
  }

  /** Fades out from `time_s` on, and is done. @param {number} time_s */
  end(time_s) {
    this.ended = true;
    ramp(this.out.gain, 0, time_s);
    for (const source of this.running) source.stop(time_s + RAMP_S);
    if (!this.running.size) this.out.disconnect();
  }
}

/**
 * @param {AudioParam} gain
 * @param {number} to
 * @param {number} time_s
 */
export function ramp(gain, to, time_s) {
  gain.cancelAndHoldAtTime?.(time_s);
  gain.setValueAtTime(gain.value, time_s);
  gain.linearRampToValueAtTime(to, time_s + RAMP_S);
}

/**
 * A recipe's mix without the ear: `count` samples from `from` on.
 * @param {Recipe} recipe
 * @param {Shape} shape
 * @param {number} from
 * @param {number} count
 * @param {(lane: Lane, context: OfflineAudioContext) => AudioNode} [through]
 */
export async function render(recipe, shape, from, count, through) {
  const context = new OfflineAudioContext({
    length: count,
    numberOfChannels: shape.channels,
    sampleRate: shape.rate_hz,
  });
  const lane = new Lane(context, recipe, shape, 1);
  (through ? through(lane, context) : lane.out).connect(context.destination);
  let at = from;
  while (at < from + count) {
    const length = Math.min(PIECE - (at % PIECE), from + count - at);
    await lane.load(at);
    lane.play(at, length, (at - from) / shape.rate_hz, 1);
    at += length;
  }
  return context.startRendering();
}

/**
 * Mean power of a recipe over a stretch, weighted as for loudness (BS.1770-5, Annex 1: a shelf of 4 dB
 * at 1682 Hz, then a high-pass at 38 Hz with Q 0.5).
 * @param {Recipe} recipe
 * @param {Shape} shape
 * @param {number} from
 * @param {number} count
 */
export async function loudnessPower(recipe, shape, from, count) {
  const heard = await render(recipe, shape, from, count, (lane, context) => {
    const shelf = new BiquadFilterNode(context, { type: "highshelf", frequency: 1681.97, gain: 4 });
    const pass = new BiquadFilterNode(context, { type: "highpass", frequency: 38.14, Q: 20 * Math.log10(0.5) });
    return lane.out.connect(shelf).connect(pass);
  });
  let sum = 0;
  for (let channel = 0; channel < heard.numberOfChannels; channel++) {
    for (const sample of heard.getChannelData(channel)) sum += sample * sample;
  }
  return sum / count;
}
