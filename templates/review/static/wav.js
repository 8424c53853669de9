// Sound in pieces: a WAV's samples are fetched by range and decoded here, exactly as they are, so that
// an hour needs no more memory than a minute.

import { bytes } from "./api.js";

/** Samples a channel of one piece; every piece of a file but its last has as many. */
export const PIECE = 1 << 16;
const HEAD_BYTES = 4096;
const KEPT_BYTES = 128 * 1024 * 1024;

/** @typedef {{data: number, channels: number, bits: number, floats: boolean}} Form Where and how samples lie. */

/** @param {DataView} view @param {number} at */
function name(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((letter) => view.getUint8(at + letter)));
}

/**
 * Where the samples of a WAV begin (RIFF or RF64), from its first bytes.
 * @param {ArrayBuffer} head
 * @returns {Form}
 */
export function formOf(head) {
  const view = new DataView(head);
  /** @type {Omit<Form, "data">|null} */
  let form = null;
  let at = 12;
  while (at + 8 <= head.byteLength) {
    const chunk = name(view, at);
    if (chunk === "data" && form) return { ...form, data: at + 8 };
    if (chunk === "fmt ") {
      const tag = view.getUint16(at + 8, true);
      // WAVE_FORMAT_EXTENSIBLE holds the true tag at the start of its sub-format.
      const true_tag = tag === 0xfffe ? view.getUint16(at + 32, true) : tag;
      form = { channels: view.getUint16(at + 10, true), bits: view.getUint16(at + 22, true), floats: true_tag === 3 };
    }
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
  throw new Error("This sound is no WAV that can be read here.");
}

/**
 * Interleaved samples as one array a channel, full scale 1.
 * @param {ArrayBuffer} raw
 * @param {Form} form
 * @returns {Float32Array<ArrayBuffer>[]}
 */
export function decode(raw, form) {
  const view = new DataView(raw);
  const step = form.bits / 8;
  const count = Math.floor(raw.byteLength / (step * form.channels));
  const read = reader(view, form);
  return Array.from({ length: form.channels }, (_, channel) => {
    const samples = new Float32Array(count);
    for (let index = 0, at = channel * step; index < count; index++, at += step * form.channels) samples[index] = read(at);
    return samples;
  });
}

/** @param {DataView} view @param {Form} form @returns {(at: number) => number} */
function reader(view, form) {
  if (form.floats && form.bits === 32) return (at) => view.getFloat32(at, true);
  if (form.bits === 16) return (at) => view.getInt16(at, true) / 0x8000;
  if (form.bits === 24) return (at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 0x800000;
  throw new Error(`Samples of ${form.bits} bits cannot be read here.`);
}

/** One sound of the server, read in pieces that are kept as long as there is room. */
export class Sound {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    /** @type {Promise<Form>|null} */
    this.form = null;
  }

  /**
   * A piece by its number: at once where it is kept, else null while it is fetched.
   * @param {number} number
   */
  kept(number) {
    return shelf.take(`${this.id} ${number}`);
  }

  /**
   * A piece by its number.
   * @param {number} number
   */
  async piece(number) {
    const key = `${this.id} ${number}`;
    return shelf.take(key) ?? shelf.fetch(key, () => this.load(number));
  }

  /** @param {number} number */
  async load(number) {
    this.form ??= bytes(this.id, 0, HEAD_BYTES).then(formOf);
    this.form.catch(() => (this.form = null));
    const form = await this.form;
    const size = (PIECE * form.channels * form.bits) / 8;
    return decode(await bytes(this.id, form.data + number * size, form.data + (number + 1) * size), form);
  }
}

/** What was read last, up to a number of bytes; and what is being fetched, once. */
class Shelf {
  constructor() {
    /** @type {Map<string, Float32Array<ArrayBuffer>[]>} */
    this.pieces = new Map();
    /** @type {Map<string, Promise<Float32Array<ArrayBuffer>[]>>} */
    this.coming = new Map();
    this.bytes = 0;
  }

  /** @param {string} key */
  take(key) {
    const piece = this.pieces.get(key);
    if (!piece) return null;
    this.pieces.delete(key);
    this.pieces.set(key, piece);
    return piece;
  }

  /** @param {string} key @param {() => Promise<Float32Array<ArrayBuffer>[]>} load */
  fetch(key, load) {
    const known = this.coming.get(key);
    if (known) return known;
    const coming = load()
      .then((piece) => this.put(key, piece))
      .finally(() => this.coming.delete(key));
    this.coming.set(key, coming);
    return coming;
  }

  /** @param {string} key @param {Float32Array<ArrayBuffer>[]} piece */
  put(key, piece) {
    this.pieces.set(key, piece);
    this.bytes += sizeOf(piece);
    for (const [oldest, old] of this.pieces) {
      if (this.bytes <= KEPT_BYTES || oldest === key) break;
      this.pieces.delete(oldest);
      this.bytes -= sizeOf(old);
    }
    return piece;
  }
}

/** @param {Float32Array[]} piece */
function sizeOf(piece) {
  return piece.reduce((sum, channel) => sum + channel.byteLength, 0);
}

const shelf = new Shelf();
