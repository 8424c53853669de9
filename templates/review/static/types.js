// What the server says, for the type checker only; no module loads this file.

/**
 * @typedef {object} Decision What an editor has decided about one use.
 * @property {boolean} accept
 * @property {boolean} keep_original
 * @property {number|null} intensity_db
 * @property {boolean|null} de_echo
 * @property {boolean|null} room_tone
 * @property {boolean} adr
 * @property {string|null} subtitle
 *
 * @typedef {Partial<Decision>} Fields What is changed of a decision, or the fields that were set.
 *
 * @typedef {object} Use One line of the list.
 * @property {string} id
 * @property {string} name
 * @property {string} track
 * @property {string} in
 * @property {string} out
 * @property {string} kind
 * @property {string} kind_label
 * @property {boolean} needs_person
 * @property {string|null} unfixable
 * @property {number} change
 * @property {number|null} intensity_db
 * @property {string|null} left_alone
 * @property {[string, string][]} flags
 * @property {Fields} decision
 * @property {number} revision
 *
 * @typedef {{what: string, text: string}} Fact
 * @typedef {{number: number, intensity: string, changed: string, readability: string, quietest: string, harm: string, left_because: string, chosen: boolean}} Step
 * @typedef {{summary: string, facts: Fact[], ledger: {steps: Step[], done: Fact[]}|null}} Card
 * @typedef {{state: "none"|"preparing"|"ready"|"failed", why?: string|null, done?: number|null, what?: string|null}} Progress
 * @typedef {Use & {card: Card, shares?: string[], cleaned: {media: string}|null, stems: Progress|null}} Detail
 *
 * @typedef {object} Rung One intensity of a setting: what is heard, and the gains of its mix (linear).
 * @property {number} intensity_db
 * @property {string} voice
 * @property {string} background
 * @property {string|null} tone
 * @property {number} background_gain
 * @property {number} tone_gain
 * @property {{gain: number, ride: string|null}} level
 * @property {boolean} limited
 * @property {boolean} de_echo_on Whether there was an echo worth taking off.
 *
 * @typedef {{key: string, de_echo: boolean, room_tone: boolean}} Setting
 * @typedef {{start_s: number, end_s: number}} Stretch
 *
 * @typedef {object} Stems
 * @property {number} rate_hz
 * @property {number} channels
 * @property {number} length_samples
 * @property {Stretch} moment
 * @property {[number, number][]} speech
 * @property {boolean} [cut]
 * @property {string} original
 * @property {number} original_gain
 * @property {string} peaks
 * @property {{original: string, current: string}} spectrograms
 * @property {Setting[]} settings
 * @property {Record<string, Rung[]>} rungs
 * @property {{key: string, intensity_db: number}} current
 *
 * @typedef {object} DeliveryLine
 * @property {string} id
 * @property {string} name
 * @property {string} folder
 * @property {string} made
 * @property {number} uses
 * @property {Record<string, number>} counts
 * @property {number} needs_person
 * @property {string|null} trouble
 *
 * @typedef {{id: string, name: string, state: string, done_s: number|null, total_s: number|null, what: string|null}} Job
 *
 * @typedef {object} Delivering Progress of delivering again.
 * @property {"working"|"done"|"failed"} state
 * @property {number|null} done_s
 * @property {number|null} total_s
 * @property {string|null} what
 * @property {string|null} why
 * @property {string|null} result
 *
 * @typedef {{id: string, name: string, trouble: string|null, can_deliver: boolean, cannot_deliver: string|null, job: Delivering|null}} DeliveryFacts
 */

export {};
