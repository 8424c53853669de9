// Asking the server, and being told by it.

/** The server does not answer: it is worth trying again. */
export class Away extends Error {}

/** The server has answered no; `status` is HTTP's. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether this page's key is no longer good: the server was started anew. */
  get locked() {
    return this.status === 401 || this.status === 403;
  }
}

const ASK_MS = 15_000;
const AGAIN_MS = 3000;
const csrf = /** @type {HTMLMetaElement|null} */ (document.querySelector("meta[name=csrf]"))?.content ?? "";

/** @param {string} path @param {RequestInit} how */
async function ask(path, how) {
  let answer;
  try {
    answer = await fetch(path, { signal: AbortSignal.timeout(ASK_MS), ...how });
  } catch {
    throw new Away("The server does not answer.");
  }
  if (answer.ok) return answer;
  const why = await reason(answer);
  throw answer.status >= 500 ? new Away(why) : new Refused(answer.status, why);
}

/** @param {Response} answer */
async function reason(answer) {
  if (answer.status === 401 || answer.status === 403) {
    return "The server was started anew. Open the address that it printed; nothing that you decided here is lost.";
  }
  try {
    return String((await answer.json()).error);
  } catch {
    return `The server could not do it (${answer.status}).`;
  }
}

/**
 * What lies at a path of the server, as JSON.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return (await ask(path, { headers: { Accept: "application/json" } })).json();
}

/**
 * A change of state. It goes on when the page is closed meanwhile.
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 */
export async function post(path, body) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF": csrf };
  const text = JSON.stringify(body);
  // Browsers let no more than 64 kB outlive their page.
  return (await ask(path, { method: "POST", headers, body: text, keepalive: text.length < 15_000 })).json();
}

/**
 * Bytes of a medium, from `first` to before `end`.
 * @param {string} id
 * @param {number} first
 * @param {number} end
 */
export async function bytes(id, first, end) {
  const answer = await ask(medium(id), { headers: { Range: `bytes=${first}-${end - 1}` } });
  const whole = await answer.arrayBuffer();
  return answer.status === 206 ? whole : whole.slice(first, end);
}

/** All of a medium. @param {string} id */
export async function all(id) {
  return (await ask(medium(id), {})).arrayBuffer();
}

/** A medium's address. @param {string} id */
export function medium(id) {
  return `/m/${encodeURIComponent(id)}`;
}

/**
 * Listens to what the server tells. `again` is called when the line stands anew after it was down:
 * what was told meanwhile has to be asked for.
 * @param {string} path
 * @param {Record<string, (told: any) => void>} ears
 * @param {() => void} again
 */
export function follow(path, ears, again) {
  /** @type {EventSource|null} */
  let line = null;
  let heard = false;
  const open = () => {
    const here = new EventSource(path);
    line = here;
    for (const [name, ear] of Object.entries(ears)) {
      here.addEventListener(name, (event) => ear(JSON.parse(/** @type {MessageEvent} */ (event).data)));
    }
    here.addEventListener("open", () => {
      if (heard) again();
      heard = true;
    });
    here.addEventListener("error", () => {
      // A browser gives up for good where the answer is no stream, as while the server starts.
      if (here.readyState === EventSource.CLOSED && here === line) setTimeout(() => here === line && open(), AGAIN_MS);
    });
  };
  // Browsers have six lines to a server: pages that nobody sees give theirs back.
  document.addEventListener("visibilitychange", () => {
    line?.close();
    line = null;
    if (!document.hidden) open();
  });
  open();
}
