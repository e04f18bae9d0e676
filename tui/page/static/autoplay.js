/** Sound on or off, and what plays without a click: new samples, and what a terminal asks for. */

import { TAB, ask } from "./connection.js";
import { announce, find, thousands, write } from "./dom.js";

const MODE = "voicecoach-autoplay";
const SOUND = "voicecoach-sound";
const MAX_QUEUE = 12;

export class Autoplay {
  /** Whether the person has turned the sound on. */
  on = false;
  #page;
  #growing = new Map();
  #until = new Map();
  #queue = [];
  #mine = false;
  #release = () => {};
  #refused = false;
  #declined = false;

  constructor(page) {
    this.#page = page;
    const mode = find("autoplay");
    mode.value = localStorage.getItem(MODE) ?? "all";
    mode.addEventListener("change", () => localStorage.setItem(MODE, mode.value));
    find("sound").addEventListener("click", () => (this.on ? this.turnOff() : this.turnOn()));
    addEventListener("focus", () => this.on && this.#claim());
    page.listening.player.addEventListener("ended", () => this.#next());
    // Where the browser still allows it, a reload keeps the sound on.
    if (sessionStorage.getItem(SOUND) === "on") this.#resume();
    this.#show();
  }

  /** Turn the sound on as it was, or as soon as the person does anything. */
  async #resume() {
    await this.turnOn();
    const again = () => this.on || this.#declined || this.turnOn();
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, again, { once: true });
  }

  /** Turn the sound on, in a click or a key press. */
  async turnOn() {
    this.#declined = false;
    this.#refused = !(await this.#page.listening.player.allow());
    this.on = !this.#refused;
    if (this.on) {
      sessionStorage.setItem(SOUND, "on");
      this.#claim();
    }
    this.#show();
  }

  turnOff() {
    this.on = false;
    this.#declined = true;
    sessionStorage.removeItem(SOUND);
    this.#queue = [];
    this.#page.listening.player.rest();
    this.#release();
    this.tell();
    this.#show();
  }

  /** A person has played something: what waited is theirs no more. */
  takeOver() {
    this.#queue = [];
    if (!this.on && !this.#declined) this.turnOn();
  }

  /** The server is there, or there again: what was made meanwhile is old news. */
  begin() {
    this.#until.clear();
    this.tell();
  }

  /** Say whether this tab plays what a terminal asks for. */
  tell() {
    const on = this.on && !this.#page.blind.open;
    // Where this fails, there is no connection, and `begin` comes again.
    ask("/sound", { tab: TAB, on }).catch(() => {});
  }

  /** Play what a terminal asks for. */
  asked({ voice, url, title }) {
    if (this.#page.blind.open) return;
    this.#queue = [];
    this.#page.playAddress(voice, url, title);
  }

  /** Look for samples that are new. */
  look(voices) {
    const [before, until] = [this.#growing, this.#until];
    this.#growing = new Map(voices.map((voice) => [voice.id, voice.speaking?.file]));
    this.#until = new Map(voices.map((voice) => [voice.id, newsOf(voice)]));
    for (const voice of voices) {
      const { id, speaking, samples } = voice;
      // One that was given up and is begun anew is new again.
      if (speaking && speaking.file !== before.get(id)) {
        this.#meet(voice, speaking);
      }
      // A run that begins lists its samples bit by bit: old ones are no news.
      const since = until.get(id) ?? Infinity;
      samples
        .filter((sample) => sample.time > since && sample.file !== before.get(id))
        .forEach((sample) => this.#meet(voice, sample));
    }
  }

  #meet(voice, sample) {
    // The name would say whose sound the blind comparison plays.
    if (sample.for_comparison) return;
    const mode = find("autoplay").value;
    const shown = voice.id === this.#page.voice?.id;
    if (sample.automatic && (!shown || mode !== "all")) return;
    const { listening, blind } = this.#page;
    if (!this.on || !this.#mine || blind.open) {
      announce(`A sample of step ${thousands(sample.step)} is ready.`);
      return;
    }
    if (listening.awaits(sample) || (sample.automatic && listening.comparing)) return;
    if (sample.automatic && listening.player.playing) {
      this.#queue = [...this.#queue, [voice.id, sample]].slice(-MAX_QUEUE);
    } else {
      this.#page.playNew(voice.id, sample);
    }
  }

  #next() {
    const next = this.#queue.shift();
    if (next && this.on && !this.#page.blind.open) this.#page.playNew(...next);
  }

  /** Of several tabs, the one that was used last plays. */
  #claim() {
    if (this.#mine) this.tell();
    else this.#hold(true);
  }

  async #hold(steal) {
    const held = () => {
      if (!this.on) return null;
      this.#mine = true;
      this.tell();
      return new Promise((resolve) => (this.#release = resolve));
    };
    try {
      // Not every browser trusts an address without https that far.
      await (navigator.locks?.request(SOUND, { steal }, held) ?? held());
      this.#mine = false;
    } catch {
      // Another tab was used later; this one plays again when that one has gone.
      this.#mine = false;
      if (this.on) this.#hold(false);
    }
  }

  #show() {
    write(find("sound"), this.on ? "Turn sound off" : "Turn sound on");
    find("sound").classList.toggle("primary", !this.on);
    const hint = this.#refused ? "The browser allows sound only after a click." : "";
    find("sound").title = hint || (this.on ? "" : "New samples then play automatically");
  }
}

/** When the newest thing happened that is known of a voice, by its host's clock. */
function newsOf(voice) {
  const times = [...voice.samples, ...(voice.events ?? [])].map(({ time }) => time);
  return Math.max(0, ...times);
}
