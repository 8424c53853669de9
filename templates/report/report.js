"use strict";
// Before and after run side by side in one audio context, sample by sample; switching is a change
// of two gains, so there is no gap and no other place.
const CROSSFADE_S = 0.012;
const said = document.getElementById("said");
let context = null;
let playing = null;

function bytesOf(uri) {
  const text = atob(uri.slice(uri.indexOf(",") + 1));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
}

class Player {
  constructor(root, controls, number) {
    this.root = root;
    this.uris = [...root.querySelectorAll("audio")].map((audio) => audio.src);
    this.sides = [...root.querySelectorAll("figure")];
    this.cursor = root.querySelector(".cursor");
    this.play = controls.querySelector(".play");
    this.radios = [...controls.querySelectorAll("[type=radio]")];
    this.seek = controls.querySelector(".seek");
    this.output = controls.querySelector("output");
    this.length = Number(root.dataset.length);
    this.side = 0;
    this.at = 0;
    this.sources = [];
    this.seek.max = this.length;
    for (const radio of this.radios) {
      radio.name = `side${number}`;
      radio.addEventListener("change", () => this.listenTo(Number(radio.value)));
    }
    this.play.addEventListener("click", () => this.toggle());
    this.seek.addEventListener("input", () => this.jump(Number(this.seek.value)));
    root.addEventListener("keydown", (event) => this.key(event));
    root.querySelector(".sides").addEventListener("click", (event) => {
      const box = this.sides[0].querySelector("svg").getBoundingClientRect();
      this.jump((this.length * (event.clientX - box.left)) / box.width);
    });
    root.querySelector(".plain").replaceWith(controls);
    root.classList.add("ready");
    this.cursor.hidden = false;
    this.listenTo(0);
    this.show();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const letter = event.key.toLowerCase();
    if (letter === "a" || letter === "b") {
      this.radios[letter === "a" ? 0 : 1].checked = true;
      this.listenTo(letter === "a" ? 0 : 1);
    } else if (event.key === " " && event.target !== this.play) {
      event.preventDefault();
      this.toggle();
    }
  }

  async load() {
    context ??= new AudioContext();
    await context.resume();
    this.buffers ??= await Promise.all(this.uris.map((uri) => context.decodeAudioData(bytesOf(uri))));
    this.length = Math.min(this.length, ...this.buffers.map((buffer) => buffer.duration));
  }

  async toggle() {
    if (playing === this) return this.stop();
    if (playing) playing.stop();
    try {
      await this.load();
    } catch (error) {
      said.textContent = `This sound cannot be played here: ${error.message}`;
      this.output.textContent = "no sound";
      return;
    }
    if (playing) playing.stop();
    playing = this;
    this.start();
    this.play.textContent = "Pause";
    requestAnimationFrame(() => this.tick());
  }

  start() {
    const begin = context.currentTime + 0.02;
    this.gains = this.buffers.map((_, side) => new GainNode(context, { gain: side === this.side ? 1 : 0 }));
    this.sources = this.buffers.map((buffer, side) => {
      const source = new AudioBufferSourceNode(context, { buffer, loop: true, loopStart: 0, loopEnd: this.length });
      source.connect(this.gains[side]).connect(context.destination);
      source.start(begin, this.at);
      return source;
    });
    this.began = begin - this.at;
  }

  halt() {
    for (const source of this.sources) source.stop();
    for (const gain of this.gains ?? []) gain.disconnect();
    this.sources = [];
  }

  stop() {
    this.at = this.now();
    this.halt();
    playing = null;
    this.play.textContent = "Play";
    this.show();
  }

  jump(seconds) {
    this.at = Math.min(Math.max(seconds, 0), this.length - 0.01);
    if (playing === this) {
      this.halt();
      this.start();
    }
    this.show();
  }

  listenTo(side) {
    this.side = side;
    this.sides.forEach((figure, index) => figure.classList.toggle("heard", index === side));
    if (playing !== this) return;
    const now = context.currentTime;
    this.gains.forEach((gain, index) => {
      gain.gain.cancelScheduledValues(now);
      gain.gain.setValueAtTime(gain.gain.value, now);
      gain.gain.linearRampToValueAtTime(index === side ? 1 : 0, now + CROSSFADE_S);
    });
  }

  now() {
    if (playing !== this) return this.at;
    return Math.max(0, context.currentTime - this.began) % this.length;
  }

  tick() {
    if (playing !== this) return;
    this.show();
    requestAnimationFrame(() => this.tick());
  }

  show() {
    const at = this.now();
    const words = `${at.toFixed(1)} s`;
    this.cursor.style.setProperty("--at", at / this.length);
    this.seek.value = at;
    if (this.output.textContent !== words) {
      this.output.textContent = words;
      this.seek.setAttribute("aria-valuetext", words);
    }
  }
}

async function copy(button) {
  const text = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page from a file may not reach the clipboard; what is selected can still be copied.
    getSelection().selectAllChildren(button);
    if (!document.execCommand("copy")) {
      said.textContent = `${text} is selected; copy it with the keyboard`;
      return;
    }
    getSelection().removeAllRanges();
  }
  said.textContent = `Copied ${text}`;
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}

for (const button of document.querySelectorAll(".tc")) button.addEventListener("click", () => copy(button));
if ("AudioContext" in window) {
  const pattern = document.getElementById("player");
  document.querySelectorAll(".ab:has(audio)").forEach((root, number) => {
    new Player(root, pattern.content.firstElementChild.cloneNode(true), number);
  });
}
