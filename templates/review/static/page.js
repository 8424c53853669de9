// Small things that every page needs: finding its parts, copying its patterns, and saying things aloud.

/**
 * The one element for a selector, of a known kind.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {{new (): T}} kind
 * @returns {T}
 */
export function part(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page lacks ${selector}.`);
  return found;
}

/**
 * A fresh copy of a pattern's only element.
 * @param {string} id
 */
export function copyOf(id) {
  const pattern = part(document, `#pattern-${id}`, HTMLTemplateElement);
  return /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (pattern.content.firstElementChild).cloneNode(true));
}

/**
 * Puts a text into the one element for a selector, and hides it where there is none.
 * @param {ParentNode} root
 * @param {string} selector
 * @param {string|null|undefined} text
 */
export function tell(root, selector, text) {
  const element = part(root, selector, HTMLElement);
  element.textContent = text ?? "";
  element.hidden = !text;
  return element;
}

/** The signs of the report: what became of a use, without colour (`delivery/report/view.py: Kind`). */
export const MARKS = /** @type {Record<string, string>} */ ({
  unfixable: "✕",
  open: "?",
  listen: "!",
  cleaned: "✓",
  good: "=",
  left: "–",
});

/** What becomes of uses, in few words, for counts. */
export const SHORT = /** @type {Record<string, string>} */ ({
  unfixable: "beyond saving",
  open: "not cleaned",
  listen: "to listen to",
  cleaned: "cleaned",
  good: "good already",
  left: "left alone",
});

/**
 * The sign of a kind, with its word for those who do not see it.
 * @param {string} kind
 * @param {string} word
 */
export function tag(kind, word) {
  const made = document.createElement("span");
  made.className = `tag ${kind in MARKS ? kind : "left"}`;
  const sign = document.createElement("span");
  sign.setAttribute("aria-hidden", "true");
  sign.textContent = MARKS[kind] ?? MARKS.left;
  const said = document.createElement("span");
  said.className = "vh";
  said.textContent = `${word} `;
  made.append(sign, said);
  return made;
}

/** Says a line to those who listen to the page. @param {string} text */
export function say(text) {
  part(document, "#said", HTMLElement).textContent = text;
}

/** A level with a true minus sign and no needless digits. @param {number} value */
export function db(value) {
  return `${Number(value.toFixed(1))} dB`.replace("-", "−");
}

/** Seconds as 0:00.0. @param {number} seconds */
export function clock(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/**
 * Makes every timecode button copy its text.
 * @param {ParentNode} root
 */
export function copyTimecodes(root) {
  root.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button.tc") : null;
    if (button instanceof HTMLElement) copy(button);
  });
}

/** @param {HTMLElement} button */
async function copy(button) {
  const text = button.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the clipboard what is selected can still be copied by hand.
    getSelection()?.selectAllChildren(button);
    say(`${text} is selected; copy it with the keyboard`);
    return;
  }
  say(`Copied ${text}`);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}
