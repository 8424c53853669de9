// One hand on the keyboard, as in an editor. Single keys can be switched off, for those whose
// speech input or screen reader presses keys of its own (WCAG 2.2, 2.1.4).

/** @typedef {Record<string, () => void>} Keys By the name of the key, in small letters. */

const SWITCH = "nlecompanion-review keys";

/** @param {Storage} storage */
export function keysAreOn(storage) {
  return storage.getItem(SWITCH) !== "off";
}

/** @param {Storage} storage @param {boolean} on */
export function switchKeys(storage, on) {
  if (on) storage.removeItem(SWITCH);
  else storage.setItem(SWITCH, "off");
}

/**
 * Calls what belongs to a key, except where the key already means something.
 * @param {Keys} keys
 * @param {Storage} storage
 */
export function listenToKeys(keys, storage) {
  document.addEventListener("keydown", (event) => {
    const name = event.key.toLowerCase();
    const action = keys[name];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || !keysAreOn(storage)) return;
    if (taken(event.target, name)) return;
    event.preventDefault();
    if (!event.repeat || name.startsWith("arrow")) action();
  });
}

/**
 * Whether the focus lies on something that needs this key itself.
 * @param {EventTarget|null} target
 * @param {string} key
 */
function taken(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target.matches("textarea, select, input[type=search]")) return true;
  if (target.matches("input[type=range]")) return key.startsWith("arrow");
  if (key !== " ") return false;
  // A row of the list opens by Enter: space goes on playing, as everywhere in an editor.
  return target.matches("button:not(.row, .play), a, summary, input[type=checkbox], audio");
}

/**
 * After the mouse the keys belong to the player again, not to what was clicked.
 * @param {HTMLElement} root
 */
export function giveBackFocus(root) {
  root.addEventListener("click", ({ detail }) => {
    // A click that the keyboard makes counts none.
    if (!detail) return;
    requestAnimationFrame(() => {
      const held = document.activeElement;
      if (held instanceof HTMLElement && root.contains(held) && held.matches("button, input[type=checkbox], input[type=range]")) held.blur();
    });
  });
}
