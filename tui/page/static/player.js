/** The one player of the page: plays a sound while it still arrives, and seeks. */

const FADE = 0.008; // seconds, against clicks
const LEAD = 0.02; // seconds from now at which a stretch begins
const REFILL = 0.6; // seconds that must be there after the sound ran out
const END = 0.01; // seconds before the end that are the end
const USUAL_RATE = 22050;

/** Tells "change" when it begins, waits, stops or ends, and "ended" at the end of a sound. */
export class Player extends EventTarget {
  sound = null;
  #context = null;
  #stretch = null;
  #position = 0;
  #level = 1;

  /** Ask the browser to be heard: in a click or a key press; returns whether it agrees. */
  async allow(rate = USUAL_RATE) {
    if (this.#context?.sampleRate !== rate) {
      this.pause();
      await this.#context?.close();
      // At the sound's own rate, pieces join without a seam.
      this.#context = new AudioContext({ sampleRate: rate });
      this.#context.addEventListener("statechange", () => this.#changed());
    }
    // Where it is not allowed, this may wait for a click for ever.
    const later = new Promise((resolve) => setTimeout(resolve, 250));
    await Promise.race([this.#context.resume().catch(() => {}), later]);
    return this.allowed;
  }

  get allowed() {
    return this.#context?.state === "running";
  }

  get playing() {
    return this.#stretch !== null;
  }

  /** Whether it would play on, but the sound has not arrived yet. */
  get waiting() {
    return this.#stretch?.waiting ?? false;
  }

  /** Whether it was stopped on the way: neither before the start nor at the end. */
  get midway() {
    const { position, sound } = this;
    return !this.playing && position > 0 && !(sound?.done && position >= sound.seconds - END);
  }

  /** Seconds into the sound. */
  get position() {
    return this.#stretch ? this.#stretch.position : this.#position;
  }

  /**
   * Take another sound in, at a place in seconds and a level (1: as it is); plays if `play`.
   */
  async open(sound, { at = 0, level = 1, play = true } = {}) {
    this.pause();
    this.sound = sound;
    this.#position = at;
    this.#level = level;
    this.#changed();
    await sound.begun;
    if (play && this.sound === sound && sound.length) await this.play();
  }

  async play() {
    const { sound } = this;
    if (!sound?.rate || this.playing) return;
    if (!(await this.allow(sound.rate)) || this.sound !== sound || this.playing) return;
    if (sound.done && this.#position >= sound.seconds - END) this.#position = 0;
    const ended = () => this.#ended();
    const from = Math.min(this.#position, sound.seconds);
    this.#stretch = new Stretch(this.#context, sound, from, this.#level, ended, () =>
      this.#changed(),
    );
    this.#changed();
  }

  pause() {
    if (!this.#stretch) return;
    this.#position = this.#stretch.position;
    this.#stretch.stop();
    this.#stretch = null;
    this.#changed();
  }

  /** Be silent, and let the browser put its sound to sleep. */
  rest() {
    this.pause();
    this.#context?.suspend();
  }

  /** Go to a place, in seconds. */
  async seek(seconds) {
    const { playing } = this;
    this.pause();
    this.#position = Math.max(0, Math.min(seconds, this.sound?.seconds ?? 0));
    this.#changed();
    if (playing) await this.play();
  }

  #ended() {
    this.#position = this.sound.seconds;
    this.#stretch = null;
    this.#changed();
    this.dispatchEvent(new Event("ended"));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** One uninterrupted way through a sound, piece after piece as they arrive. */
class Stretch {
  waiting = true;
  #context;
  #sound;
  #gain;
  #sources = [];
  #scheduled;
  #start;
  #from;
  #ran = false;
  #onEnd;
  #onChange;
  #more = () => this.#schedule();

  constructor(context, sound, from, level, onEnd, onChange) {
    this.#context = context;
    this.#sound = sound;
    this.#from = from;
    this.#onEnd = onEnd;
    this.#onChange = onChange;
    this.#scheduled = Math.round(from * sound.rate);
    this.#start = context.currentTime + LEAD;
    this.#gain = context.createGain();
    this.#gain.gain.setValueAtTime(from ? 0 : level, context.currentTime);
    this.#gain.gain.setValueAtTime(from ? 0 : level, this.#start);
    this.#gain.gain.linearRampToValueAtTime(level, this.#start + FADE);
    this.#gain.connect(context.destination);
    sound.addEventListener("grew", this.#more);
    sound.addEventListener("done", this.#more);
    this.#schedule();
  }

  get position() {
    const heard = this.#context.currentTime - (this.#context.outputLatency || 0) - this.#start;
    const last = this.#scheduled / this.#sound.rate;
    return Math.max(this.#from, Math.min(this.#from + heard, last));
  }

  stop() {
    this.#leave();
    const { gain } = this.#gain;
    const now = this.#context.currentTime;
    gain.cancelScheduledValues(now);
    gain.setTargetAtTime(0, now, FADE / 3);
    this.#sources.forEach((source) => source.stop(now + 2 * FADE));
  }

  #leave() {
    this.#sound.removeEventListener("grew", this.#more);
    this.#sound.removeEventListener("done", this.#more);
    this.#sources.forEach((source) => (source.onended = null));
  }

  #schedule() {
    const { rate, done, length } = this.#sound;
    const ready = length - this.#scheduled;
    const enough = this.#ran && this.waiting ? REFILL * rate : 1;
    if (ready < enough && !done) return;
    if (ready > 0) this.#put(this.#sound.samples.subarray(this.#scheduled), rate);
    else if (this.waiting) this.#end();
  }

  #put(samples, rate) {
    const buffer = this.#context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    let when = this.#start + this.#scheduled / rate - this.#from;
    const late = this.#context.currentTime + LEAD / 2 - when;
    if (late > 0) {
      this.#start += late;
      when += late;
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#gain);
    source.onended = () => this.#ranOut(source);
    source.start(when);
    this.#sources.push(source);
    this.#scheduled += samples.length;
    const changed = this.waiting;
    this.waiting = false;
    this.#ran = true;
    if (changed) this.#onChange();
  }

  #ranOut(source) {
    if (source !== this.#sources.at(-1)) return;
    this.waiting = true;
    if (this.#sound.done) this.#schedule();
    else this.#onChange();
  }

  #end() {
    this.#leave();
    this.#onEnd();
  }
}
