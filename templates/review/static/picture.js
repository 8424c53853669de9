// <sound-picture>: waveform and spectrogram over one stretch of sound, with the needle on them.

/** @typedef {import("./types.js").Stretch} Stretch */
/** @typedef {{pairs: Int8Array, peak: number, length_s: number, speech: [number, number][], moment: Stretch, spectrogram: string, words: string}} Scene */

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Tells `seek` (detail: 0 to 1) when somebody points at a place. */
export class SoundPicture extends HTMLElement {
  constructor() {
    super();
    this.canvas = document.createElement("canvas");
    this.image = document.createElement("img");
    this.hand = document.createElement("i");
    /** @type {Scene|null} */
    this.scene = null;
    this.looping = false;
    this.watch = new ResizeObserver(() => this.draw());
    this.redraw = () => this.draw();
  }

  connectedCallback() {
    this.canvas.setAttribute("role", "img");
    this.hand.className = "needle";
    this.append(this.canvas, this.image, this.hand);
    this.watch.observe(this.canvas);
    dark.addEventListener("change", this.redraw);
    this.addEventListener("pointerdown", (event) => this.point(event));
    this.addEventListener("pointermove", (event) => event.buttons & 1 && this.point(event));
  }

  disconnectedCallback() {
    this.watch.disconnect();
    dark.removeEventListener("change", this.redraw);
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (event.button > 0) return;
    const box = this.canvas.getBoundingClientRect();
    const detail = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.dispatchEvent(new CustomEvent("seek", { detail }));
  }

  /** @param {Scene} scene */
  show(scene) {
    this.scene = scene;
    this.canvas.setAttribute("aria-label", `Waveform, ${scene.words}`);
    this.image.alt = `Spectrogram, ${scene.words}, 80 Hz to 16 kHz`;
    this.image.src = scene.spectrogram;
    this.image.draggable = false;
    this.draw();
  }

  /** @param {number} share */
  needle(share) {
    this.hand.style.setProperty("--at", String(share));
  }

  /** @param {boolean} looping */
  loop(looping) {
    this.looping = looping;
    this.draw();
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const { clientWidth, clientHeight } = this.canvas;
    if (!pen || !this.scene || !clientWidth) return;
    const scale = devicePixelRatio;
    this.canvas.width = Math.round(clientWidth * scale);
    this.canvas.height = Math.round(clientHeight * scale);
    const colors = getComputedStyle(this);
    /** @param {string} name */
    const color = (name) => colors.getPropertyValue(name).trim();
    const { length_s, moment, speech } = this.scene;
    const { width, height } = this.canvas;
    /** @param {number} seconds */
    const x = (seconds) => (seconds / length_s) * width;
    pen.fillStyle = color(this.looping ? "--loop" : "--moment");
    pen.fillRect(x(moment.start_s), 0, x(moment.end_s - moment.start_s), height);
    pen.fillStyle = color("--wave");
    wave(pen, this.scene, width, height);
    pen.fillStyle = color("--good");
    for (const [start, end] of speech) pen.fillRect(x(start), height - 3 * scale, x(end - start), 3 * scale);
  }
}

/** @param {CanvasRenderingContext2D} pen @param {Scene} scene @param {number} width @param {number} height */
function wave(pen, scene, width, height) {
  const many = scene.pairs.length / 2;
  const middle = height / 2;
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * many) / width);
    const last = Math.max(first + 1, Math.floor(((x + 1) * many) / width));
    let low = 127;
    let high = -128;
    for (let pair = first; pair < last && pair < many; pair++) {
      low = Math.min(low, scene.pairs[2 * pair]);
      high = Math.max(high, scene.pairs[2 * pair + 1]);
    }
    if (high < low) continue;
    const top = middle - (high / scene.peak) * middle;
    pen.fillRect(x, top, 1, Math.max(1, ((high - low) / scene.peak) * middle));
  }
}

customElements.define("sound-picture", SoundPicture);
