/** Sounds as they arrive: the samples of a WAV that may still be growing. */

const OPEN_SIZE = 0xffffff00; // from here on, a size in a header means "not known yet"
const MAX_HEADER = 2 ** 16;
const FULL_SCALE = 32768;

/**
 * A mono WAV of 16 bits. Tells "grew" after each piece that arrived and "done" at its end.
 */
export class Sound extends EventTarget {
  /** Samples per second; 0 until the header is there. */
  rate = 0;
  /** Samples that have arrived. */
  length = 0;
  /** Whether no more will arrive. */
  done = false;
  /** Why it is not whole, in a sentence. */
  trouble = "";
  #samples = new Float32Array(2 ** 16);
  #rest = new Uint8Array(0);
  #left = Infinity;

  constructor(url) {
    super();
    this.url = url;
    /** Resolves once samples can be played, or nothing will come. */
    this.begun = new Promise((resolve) => {
      this.addEventListener("grew", resolve, { once: true });
      this.addEventListener("done", resolve, { once: true });
    });
    this.#load();
  }

  /** What has arrived, each sample from -1 to 1. */
  get samples() {
    return this.#samples.subarray(0, this.length);
  }

  /** Its length so far. */
  get seconds() {
    return this.rate ? this.length / this.rate : 0;
  }

  async #load() {
    try {
      const answer = await fetch(this.url);
      if (!answer.ok) throw new Error(await refusal(answer));
      const reader = answer.body.getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        this.#take(piece.value);
      }
      if (!this.rate || (this.#left > 0 && this.#left !== Infinity)) {
        this.trouble = "The sound was cut short.";
      }
    } catch (error) {
      this.trouble = error instanceof TypeError ? "The sound was cut short." : error.message;
    }
    this.done = true;
    this.dispatchEvent(new Event("done"));
  }

  #take(piece) {
    let bytes = joined(this.#rest, piece);
    if (!this.rate) {
      const header = parseHeader(bytes);
      if (!header && bytes.length > MAX_HEADER) throw new Error("This is not a WAV file.");
      if (!header) {
        this.#rest = bytes;
        return;
      }
      this.rate = header.rate;
      this.#left = header.size;
      bytes = bytes.subarray(header.start);
    }
    const usable = Math.min(bytes.length, this.#left) & ~1;
    this.#rest = bytes.slice(usable);
    this.#left -= usable;
    this.#append(bytes.subarray(0, usable));
    if (usable) this.dispatchEvent(new Event("grew"));
  }

  #append(bytes) {
    const count = bytes.length / 2;
    if (this.length + count > this.#samples.length) {
      const larger = new Float32Array(2 * (this.length + count));
      larger.set(this.samples);
      this.#samples = larger;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let place = 0; place < count; place++) {
      this.#samples[this.length + place] = view.getInt16(2 * place, true) / FULL_SCALE;
    }
    this.length += count;
  }

  /** The SHA-256 of the samples as they were sent, little-endian, in hexadecimal. */
  async checksum() {
    // Not every browser trusts an address without https that far.
    if (!crypto.subtle) return "";
    const view = new DataView(new ArrayBuffer(2 * this.length));
    this.samples.forEach((value, place) => view.setInt16(2 * place, value * FULL_SCALE, true));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", view));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

/** What a server says of a request that it refuses. */
export async function refusal(answer) {
  const told = await answer.json().catch(() => ({}));
  return told.error || `The page's server answered with ${answer.status}.`;
}

function joined(first, second) {
  if (!first.length) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Read the chunks before the samples; null while some of them have not arrived. */
function parseHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length >= 12 && (name(0) !== "RIFF" || name(8) !== "WAVE")) {
    throw new Error("This is not a WAV file.");
  }
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (name(at) === "data") {
      if (!rate) throw new Error("This is not a mono WAV of 16 bits.");
      return { rate, start, size: size >= OPEN_SIZE ? Infinity : size };
    }
    if (name(at) === "fmt ") {
      if (start + 16 > bytes.length) return null;
      const [kind, channels] = [view.getUint16(start, true), view.getUint16(start + 2, true)];
      const bits = view.getUint16(start + 14, true);
      if (kind === 1 && channels === 1 && bits === 16) rate = view.getUint32(start + 4, true);
    }
    at = start + size + (size & 1);
  }
  return null;
}
