/** Two sounds of one sentence, to flip between at the same place and equally loud. */

import { alignment, equalLevels } from "./align.js";
import { spectrumOf } from "./pictures.js";

export class Pair {
  /** Factors that make them equally loud. */
  levels = [1, 1];
  #ways = [(at) => at, (at) => at];

  constructor(first, second) {
    this.sounds = [first, second];
    /** Resolves once both are whole and compared. */
    this.ready = this.#compare();
  }

  async #compare() {
    await Promise.all(this.sounds.map(wholeness));
    const [first, second] = this.sounds;
    if (!first.length || !second.length) return;
    this.levels = equalLevels(first, second);
    const spectra = this.sounds.map(spectrumOf);
    this.#ways = alignment(...spectra);
  }

  /** Where a place in one of the two (0 or 1) is in the other, in seconds. */
  across(from, seconds) {
    return this.#ways[from](seconds);
  }
}

function wholeness(sound) {
  if (sound.done) return null;
  return new Promise((resolve) => sound.addEventListener("done", resolve, { once: true }));
}
