// One use: what was done and why, its player, and what is decided about it.

import { Away, Refused, get, medium, post } from "./api.js";
import { copyOf, part, tag, tell } from "./page.js";
import { Panel } from "./panel.js";
import { Player } from "./player.js";

/** @typedef {import("./types.js").Use} Use */
/** @typedef {import("./types.js").Detail} Detail */
/** @typedef {import("./types.js").Progress} Progress */
/** @typedef {import("./types.js").Fact} Fact */
/** @typedef {import("./decisions.js").Decisions} Decisions */

/** Whoever only passes by starts no work. */
const STAY_MS = 350;
const AGAIN_MS = 3000;

export class UsePane {
  /** @param {HTMLElement} root @param {string} delivery @param {Decisions} decisions */
  constructor(root, delivery, decisions) {
    this.root = root;
    this.delivery = delivery;
    this.decisions = decisions;
    /** @type {Use|null} */
    this.use = null;
    /** @type {Player|null} */
    this.player = null;
    /** @type {Panel|null} */
    this.panel = null;
    this.state = "";
    this.again = false;
    this.timer = 0;
    decisions.addEventListener("decision", (event) => {
      if (/** @type {CustomEvent<string>} */ (event).detail !== this.use?.id) return;
      this.panel?.show();
      this.player?.showWanted();
    });
  }

  /** @param {string} [rest] */
  path(rest = "") {
    return `/api/d/${encodeURIComponent(this.delivery)}/uses/${encodeURIComponent(this.use?.id ?? "")}${rest}`;
  }

  /** @param {Use} use */
  show(use) {
    this.player?.close();
    this.player = null;
    clearTimeout(this.timer);
    this.use = use;
    this.state = "";
    this.again = false;
    const view = copyOf("use");
    part(view, "h2", HTMLElement).append(tag(use.kind, `${use.kind_label}:`), use.name);
    tell(view, ".track", use.track);
    tell(view, ".in", use.in);
    tell(view, ".out", use.out);
    part(this.root, ".detail", HTMLElement).replaceChildren(view);
    this.panel = new Panel(part(view, ".decide", HTMLElement), this.decisions, use);
    this.timer = setTimeout(() => this.load(use), STAY_MS / 4);
  }

  /** @param {Use} use */
  async load(use) {
    try {
      /** @type {Detail} */
      const detail = await get(this.path());
      if (use !== this.use) return;
      this.tellCard(detail);
      if (detail.cleaned) part(this.root, ".delivered audio", HTMLAudioElement).src = medium(detail.cleaned.media);
      if (detail.stems) this.follow(detail.stems);
      else this.sound("It was left as it is: there is nothing to compare.");
    } catch (error) {
      if (use === this.use) this.stumble(error, () => this.load(use));
    }
  }

  /** Asks again how far the sound is, after the line to the server was down. */
  refresh() {
    if (this.use && this.state !== "ready") this.load(this.use);
  }

  /** @param {Detail} detail */
  tellCard(detail) {
    tell(this.root, ".summary", detail.card.summary || detail.kind_label);
    fill(part(this.root, ".facts", HTMLElement), detail.card.facts);
    tell(this.root, ".shares", sharing(detail.shares?.length ?? 0));
    const phrases = part(this.root, ".phrases", HTMLElement);
    phrases.hidden = !detail.flags.length;
    part(phrases, "ul", HTMLElement).replaceChildren(...detail.flags.map(phrase));
    const ledger = part(this.root, ".ledger", HTMLElement);
    ledger.hidden = !detail.card.ledger;
    if (!detail.card.ledger) return;
    part(ledger, "tbody", HTMLElement).replaceChildren(...detail.card.ledger.steps.map(attempt));
    fill(part(ledger, "dl", HTMLElement), detail.card.ledger.done);
  }

  /** How far the sound is that can be mixed. @param {Progress} progress */
  follow(progress) {
    const before = this.state;
    this.state = progress.state;
    if (progress.state === "ready") {
      if (before !== "ready") this.open();
    } else if (progress.state === "failed") {
      this.sound(`The sound could not be made ready: ${progress.why ?? "no reason given"}`, () => this.prepare());
    } else if (progress.state === "none") {
      this.sound("The sound is made ready …");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.prepare(), STAY_MS);
    } else this.preparing(progress);
  }

  /** @param {Progress} progress */
  preparing(progress) {
    this.sound(`The sound is made ready${progress.what ? `: ${progress.what}` : " …"}`);
    const bar = part(this.root, ".ready progress", HTMLProgressElement);
    bar.hidden = false;
    if (progress.done == null) bar.removeAttribute("value");
    else bar.value = progress.done;
  }

  /** What is said where the player will be. @param {string} text @param {() => void} [again] */
  sound(text, again) {
    const place = part(this.root, ".ready", HTMLElement);
    place.hidden = false;
    const line = part(place, "p", HTMLElement);
    if (line.textContent !== text) line.textContent = text;
    part(place, "progress", HTMLProgressElement).hidden = true;
    const delivered = part(this.root, ".delivered", HTMLElement);
    delivered.hidden = !part(delivered, "audio", HTMLAudioElement).src;
    const button = part(place, "button", HTMLButtonElement);
    button.hidden = !again;
    button.onclick = again ?? null;
  }

  async prepare() {
    const { use } = this;
    try {
      const progress = await post(this.path("/prepare"), {});
      if (use === this.use && this.state !== "ready") this.follow({ ...progress, state: progress.state === "none" ? "preparing" : progress.state });
    } catch (error) {
      if (use === this.use) this.stumble(error, () => this.prepare());
    }
  }

  async open() {
    const { use } = this;
    if (!use) return;
    try {
      const stems = await get(this.path("/stems"));
      if (use !== this.use) return;
      const place = part(this.root, ".player", HTMLElement);
      const view = copyOf("player");
      view.hidden = true;
      place.replaceChildren(view);
      const player = await Player.open(view, stems, use, this.decisions);
      if (use !== this.use) return player.close();
      this.player = player;
      part(this.root, ".ready", HTMLElement).hidden = true;
      view.hidden = false;
      part(view, ".cut", HTMLElement).hidden = !stems.cut;
      this.root.dispatchEvent(new Event("ready"));
    } catch (error) {
      if (use !== this.use) return;
      this.state = "failed";
      part(this.root, ".player", HTMLElement).replaceChildren();
      // It was ready, and its place has been given to others since: it is made again, once.
      const gone = error instanceof Refused && error.status === 404 && !this.again;
      this.again = gone;
      if (gone) this.prepare();
      else this.stumble(error, () => this.open());
    }
  }

  /** @param {unknown} error @param {() => void} again */
  stumble(error, again) {
    if (!(error instanceof Away || error instanceof Refused)) {
      this.sound(`This cannot be shown: ${error instanceof Error ? error.message : error}`, again);
      throw error;
    }
    this.sound(error.message, again);
    clearTimeout(this.timer);
    if (error instanceof Away) this.timer = setTimeout(again, AGAIN_MS);
  }
}

/** @param {number} others */
function sharing(others) {
  const many = others === 1 ? "another clip" : `${others} other clips`;
  return others ? `One file serves this and ${many} of the same recording: intensity, de-echo and room tone go for all of them.` : "";
}

/** @param {HTMLElement} list @param {Fact[]} facts */
function fill(list, facts) {
  list.replaceChildren(
    ...facts.flatMap((fact) => {
      const what = document.createElement("dt");
      const text = document.createElement("dd");
      what.textContent = fact.what;
      text.textContent = fact.text;
      return [what, text];
    }),
  );
}

/** @param {[string, string]} flag */
function phrase([first, last]) {
  const item = copyOf("phrase");
  const [from, to] = item.querySelectorAll("button");
  from.textContent = first;
  to.textContent = last;
  return item;
}

/** @param {import("./types.js").Step} step */
function attempt(step) {
  const row = document.createElement("tr");
  row.classList.toggle("chosen", step.chosen);
  for (const text of [step.number, step.intensity, step.readability, step.harm, step.left_because]) {
    row.insertCell().textContent = String(text);
  }
  return row;
}
