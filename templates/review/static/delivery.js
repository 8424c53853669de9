// The page of one delivery.

import { Refused, follow, get } from "./api.js";
import { Decisions } from "./decisions.js";
import { Deliver } from "./deliver.js";
import { giveBackFocus, keysAreOn, listenToKeys, switchKeys } from "./keys.js";
import { List } from "./list.js";
import { copyTimecodes, part, say } from "./page.js";
import { UsePane } from "./use.js";

/** @typedef {import("./types.js").Use} Use */
/** @typedef {import("./decisions.js").State} State */

const AGAIN_MS = 3000;
const CLIP = "#clip=";
/** As in review.css: list and clip side by side. */
const WIDE = "(min-width: 60rem)";
const { body } = document;
const delivery = body.dataset.delivery ?? "";
const path = `/api/d/${encodeURIComponent(delivery)}`;
const decisions = new Decisions(delivery, localStorage);
const list = new List(part(document, "#list", HTMLElement), decisions);
const pane = new UsePane(part(document, "#use", HTMLElement), delivery, decisions);
const deliver = new Deliver(part(document, "#deliver", HTMLButtonElement), part(document, "#delivering", HTMLDialogElement), delivery, decisions);
/** @type {Map<string, Use>} */
const uses = new Map();

/** Fetches the list; what is decided is merged by its revision, so that it can be asked for again. */
async function load() {
  try {
    const told = await get(`${path}/uses`);
    decisions.learn(told.uses);
    deliver.learn(told.delivery);
    if (!uses.size) fill(told.uses);
    part(document, "#trouble", HTMLElement).hidden = true;
  } catch (error) {
    trouble(error instanceof Error ? error.message : String(error));
    if (!(error instanceof Refused)) setTimeout(load, AGAIN_MS);
  }
}

/** The clip that the address names. */
function hashed() {
  return location.hash.startsWith(CLIP) ? decodeURIComponent(location.hash.slice(CLIP.length)) : "";
}

/** @param {Use[]} told */
function fill(told) {
  for (const use of told) uses.set(use.id, use);
  list.fill(told);
  const asked = hashed();
  const first = told.find((use) => use.needs_person) ?? told.find((use) => use.intensity_db !== null) ?? told[0];
  if (uses.has(asked)) show(asked);
  else if (first && matchMedia(WIDE).matches) show(first.id);
}

/** @param {string} text */
function trouble(text) {
  const line = part(document, "#trouble", HTMLElement);
  line.hidden = false;
  line.textContent = text;
}

/** @param {string|undefined} id */
function show(id) {
  const use = id === undefined ? undefined : uses.get(id);
  if (!use) return;
  body.dataset.view = "use";
  if (!matchMedia(WIDE).matches) {
    // The row that was pressed is gone from sight, and the focus with it.
    scrollTo(0, 0);
    part(document, "#use", HTMLElement).focus({ preventScroll: true });
  }
  if (use.id === pane.use?.id) return;
  list.point(use.id);
  pane.show(use);
  history.replaceState(null, "", `${CLIP}${encodeURIComponent(use.id)}`);
}

function showList() {
  body.dataset.view = "list";
  list.focus();
}

/** @param {State} state */
function savedState(state) {
  const many = decisions.unsaved === 1 ? "one clip" : `${decisions.unsaved} clips`;
  const words = {
    saved: "All decisions are saved",
    saving: "Saving …",
    away: `Not saved: decisions on ${many}. ${decisions.why} It is tried again`,
    locked: `Not saved: decisions on ${many}. The server was started anew: open the address that it printed. They are kept here until then`,
  };
  const line = part(document, "#saved", HTMLElement);
  line.dataset.state = state;
  if (line.textContent !== words[state]) line.textContent = words[state];
}

function listen() {
  follow(
    `/events?d=${encodeURIComponent(delivery)}`,
    {
      decision: (told) => told.delivery === delivery && decisions.adopt(told.use, told.decision, told.revision),
      stems: (told) => told.delivery === delivery && told.use === pane.use?.id && pane.follow(told),
      deliver: (told) => told.delivery === delivery && deliver.follow(told),
    },
    () => {
      load().then(() => decisions.hurry());
      pane.refresh();
    },
  );
}

function help() {
  part(document, "#help", HTMLDialogElement).showModal();
}

function wire() {
  list.addEventListener("choose", (event) => show(/** @type {CustomEvent<string>} */ (event).detail));
  decisions.addEventListener("state", () => savedState(decisions.state));
  decisions.addEventListener("refused", (event) => trouble(`Not saved: ${/** @type {CustomEvent<string>} */ (event).detail}`));
  addEventListener("hashchange", () => show(hashed()));
  addEventListener("online", () => decisions.hurry());
  addEventListener("beforeunload", (event) => decisions.unsaved && event.preventDefault());
  part(document, "#back", HTMLButtonElement).addEventListener("click", showList);
  part(document, "#before", HTMLButtonElement).addEventListener("click", () => show(list.beside(-1)));
  part(document, "#next", HTMLButtonElement).addEventListener("click", () => show(list.beside(1)));
  part(document, "#keys", HTMLButtonElement).addEventListener("click", help);
  const dialog = part(document, "#help", HTMLDialogElement);
  part(dialog, ".shut", HTMLButtonElement).addEventListener("click", () => dialog.close());
  const single = part(dialog, "input", HTMLInputElement);
  single.checked = keysAreOn(localStorage);
  single.addEventListener("change", () => switchKeys(localStorage, single.checked));
  copyTimecodes(document);
  giveBackFocus(part(document, "#use", HTMLElement));
}

listenToKeys(
  {
    " ": () => pane.player?.toggle(),
    a: () => pane.player?.hear("a"),
    b: () => pane.player?.hear("b"),
    x: () => pane.player?.swap(),
    j: () => pane.player?.shuttle(-1),
    k: () => pane.player?.stop(),
    l: () => pane.player?.shuttle(1),
    o: () => pane.player?.toggleLoop(),
    arrowleft: () => pane.player?.step(-1),
    arrowright: () => pane.player?.step(1),
    arrowup: () => show(list.beside(-1)),
    arrowdown: () => show(list.beside(1)),
    u: () => pane.player?.take(),
    y: () => pane.panel?.toggle("accept"),
    n: () => pane.panel?.toggle("keep_original"),
    "?": help,
  },
  localStorage,
);
wire();
listen();
load();
say("");
