/** The blind test: one sentence from two checkpoints that nobody names, until it is answered. */

import { ask } from "./connection.js";
import { fillSelect, find, hint, thousands, usesKey, write } from "./dom.js";
import { Pair } from "./pair.js";

const CHOOSE = "";

export class BlindTest {
  #page;
  #trial = null;
  #pair = null;
  #side = 0;
  #asked = 0;

  constructor(page) {
    this.#page = page;
    const dialog = find("blind");
    dialog.addEventListener("close", () => this.#close());
    dialog.addEventListener("keydown", (event) => this.#press(event));
    find("blind-a").addEventListener("click", () => this.#hear(0));
    find("blind-b").addEventListener("click", () => this.#hear(1));
    find("blind-stop").addEventListener("click", () => page.listening.player.pause());
    for (const answer of ["a", "b", "same"]) {
      find(`answer-${answer}`).addEventListener("click", () => this.#answer(answer));
    }
    find("blind-next").addEventListener("click", () => this.#next());
    for (const id of ["blind-first", "blind-second"]) {
      find(id).addEventListener("change", () => this.#next());
    }
    page.listening.player.addEventListener("change", () => this.open && this.#show());
  }

  /** Whether a test is under way: nothing else plays meanwhile. */
  get open() {
    return find("blind").open;
  }

  /** Take in which checkpoints there are to compare. */
  refresh(voice) {
    const kept = voice.checkpoints.filter((one) => one.network === voice.network).reverse();
    const options = [[CHOOSE, "any"], ...kept.map(({ step }) => [String(step), thousands(step)])];
    fillSelect(find("blind-first"), options);
    fillSelect(find("blind-second"), options);
    find("open-blind").disabled = kept.length < 2;
  }

  start() {
    if (this.open) return;
    if (find("open-blind").disabled) {
      hint("A blind test needs two checkpoints.");
      return;
    }
    this.#page.autoplay.takeOver();
    this.#page.listening.lend(true);
    find("blind").showModal();
    this.#page.autoplay.tell();
    this.#next();
  }

  #close() {
    this.#asked++;
    this.#trial = null;
    this.#page.listening.lend(false);
    this.#page.autoplay.tell();
  }

  async #next() {
    const asked = ++this.#asked;
    this.#page.listening.player.pause();
    this.#trial = null;
    this.#pair = null;
    this.#say("The two samples are being made…");
    this.#show();
    const chosen = new URLSearchParams();
    for (const which of ["first", "second"]) {
      const { value } = find(`blind-${which}`);
      if (value !== CHOOSE) chosen.set(which, value);
    }
    try {
      const trial = await ask(`/voices/${this.#page.voice.id}/blind?${chosen}`);
      if (asked !== this.#asked) return;
      this.#begin(trial);
    } catch (error) {
      if (asked === this.#asked) this.#say(error.message);
    }
  }

  #begin(trial) {
    this.#trial = { ...trial, answered: false, played: new Set() };
    const { listening } = this.#page;
    this.#pair = new Pair(listening.sound(trial.a), listening.sound(trial.b));
    this.#side = 0;
    listening.player.sound = null;
    this.#say("Play both, then answer.");
    write(find("standing"), trial.standing);
    this.#show();
    this.#hear(0);
  }

  /** Play one of the two from its start, or go on with it where the other is. */
  #hear(side) {
    if (!this.#trial) return;
    const { player } = this.#page.listening;
    const flips = player.playing && side !== this.#side;
    const at = flips ? this.#pair.across(this.#side, player.position) : 0;
    this.#side = side;
    this.#trial.played.add(side);
    player.open(this.#pair.sounds[side], { at, level: this.#pair.levels[side] });
    this.#show();
  }

  /** Whether both were played, and no answer was given yet. */
  get #answerable() {
    return this.#trial !== null && !this.#trial.answered && this.#trial.played.size === 2;
  }

  async #answer(answer) {
    const trial = this.#trial;
    if (!this.#answerable) return;
    trial.answered = true;
    this.#show();
    try {
      const { id } = this.#page.voice;
      const told = await ask(`/voices/${id}/blind`, { trial: trial.trial, answer });
      if (trial !== this.#trial) return;
      this.#say(told.revealed);
      write(find("standing"), told.standing);
      find("blind-next").focus();
    } catch (error) {
      trial.answered = false;
      this.#say(error.message);
      this.#show();
    }
  }

  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const list = event.target.closest("select");
    if (list && usesKey(list, event.key)) return;
    const actions = {
      a: () => this.#hear(0),
      b: () => this.#hear(1),
      f: () => this.#hear(1 - this.#side),
      1: () => this.#answer("a"),
      2: () => this.#answer("b"),
      0: () => this.#answer("same"),
      n: () => this.#next(),
    };
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  #say(words) {
    write(find("blind-news"), words);
  }

  #show() {
    const { player } = this.#page.listening;
    write(find("blind-sentence"), this.#trial?.sentence ?? "");
    const ready = Boolean(this.#trial);
    ["a", "b"].forEach((name, side) => {
      const button = find(`blind-${name}`);
      button.disabled = !ready;
      const playing = ready && player.playing && side === this.#side;
      button.setAttribute("aria-pressed", String(playing));
    });
    find("blind-stop").disabled = !player.playing;
    for (const answer of ["a", "b", "same"]) {
      find(`answer-${answer}`).disabled = !this.#answerable;
    }
  }
}
