/** What a sound looks like: a spectrogram in mel bands, computed while the sound arrives. */

export const BANDS = 96;
const HOP_SECONDS = 0.006;
const WINDOW_SECONDS = 0.024;
const FLOOR = 1e-5;

/** Columns of a spectrogram, in decibels: `BANDS` values each, low to high. */
export class Spectrum {
  count = 0;
  /** The loudest of all values. */
  peak = -200;
  #columns = new Float32Array(BANDS * 512);
  #rate;
  #window;
  #filters;
  #fourier;

  constructor(rate) {
    this.#rate = rate;
    this.hop = Math.round(HOP_SECONDS * rate);
    const length = Math.round(WINDOW_SECONDS * rate);
    this.#window = Float32Array.from(
      { length },
      (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (n + 0.5)) / length),
    );
    this.#fourier = new Fourier(2 ** Math.ceil(Math.log2(length)));
    this.#filters = melFilters(this.#fourier.size, rate);
  }

  /** Seconds from one column to the next. */
  get step() {
    return this.hop / this.#rate;
  }

  column(index) {
    return this.#columns.subarray(index * BANDS, (index + 1) * BANDS);
  }

  /** Compute the columns that samples have arrived for; all of them once they are `done`. */
  extend(samples, done) {
    const half = this.#window.length >> 1;
    while (this.count * this.hop + (done ? 0 : half) < samples.length) {
      if ((this.count + 1) * BANDS > this.#columns.length) {
        const larger = new Float32Array(2 * this.#columns.length);
        larger.set(this.#columns);
        this.#columns = larger;
      }
      this.#compute(samples, this.count * this.hop - half);
      this.count++;
    }
  }

  #compute(samples, first) {
    const { size } = this.#fourier;
    const real = new Float32Array(size);
    for (let n = 0; n < this.#window.length; n++) {
      real[n] = (samples[first + n] ?? 0) * this.#window[n];
    }
    const power = this.#fourier.power(real);
    const column = this.column(this.count);
    this.#filters.forEach((filter, band) => {
      let sum = 0;
      const { first, weights } = filter;
      for (let bin = 0; bin < weights.length; bin++) sum += weights[bin] * power[first + bin];
      column[band] = 20 * Math.log10(Math.max(FLOOR, Math.sqrt(sum)));
      if (column[band] > this.peak) this.peak = column[band];
    });
  }
}

const toMel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const fromMel = (mel) => 700 * (10 ** (mel / 2595) - 1);

/** How high a frequency stands in a spectrogram, from 0 to 1. */
export function heightOf(hertz, rate) {
  return toMel(hertz) / toMel(rate / 2);
}

/** Triangles of equal width in mel; none is narrower than a bin. */
function melFilters(size, rate) {
  const top = toMel(rate / 2);
  const bin = rate / size;
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = [band, band + 1, band + 2].map(
      (edge) => fromMel((edge * top) / (BANDS + 1)) / bin,
    );
    const [below, above] = [Math.max(1, middle - low), Math.max(1, high - middle)];
    const first = Math.max(0, Math.ceil(middle - below));
    const last = Math.min(size / 2, Math.floor(middle + above));
    const weights = [];
    for (let at = first; at <= last; at++) {
      weights.push(Math.max(0, 1 - (at < middle ? (middle - at) / below : (at - middle) / above)));
    }
    const sum = weights.reduce((one, other) => one + other, 0) || 1;
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** The fast Fourier transform of a size that is a power of two. */
class Fourier {
  #order;
  #cosines;
  #sines;

  constructor(size) {
    this.size = size;
    const bits = Math.log2(size);
    this.#order = Uint32Array.from({ length: size }, (_, at) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit++) turned |= ((at >> bit) & 1) << (bits - 1 - bit);
      return turned;
    });
    const angle = (at) => (2 * Math.PI * at) / size;
    this.#cosines = Float32Array.from({ length: size / 2 }, (_, at) => Math.cos(angle(at)));
    this.#sines = Float32Array.from({ length: size / 2 }, (_, at) => Math.sin(angle(at)));
  }

  /** The squared magnitudes of a real signal, from 0 Hz up to half its rate. */
  power(signal) {
    const { size } = this;
    const real = new Float32Array(size);
    for (let at = 0; at < size; at++) real[at] = signal[this.#order[at]];
    const imaginary = new Float32Array(size);
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let start = 0; start < size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const cosine = this.#cosines[k * stride];
          const sine = this.#sines[k * stride];
          const low = start + k;
          const high = low + half;
          const turnedReal = real[high] * cosine + imaginary[high] * sine;
          const turnedImaginary = imaginary[high] * cosine - real[high] * sine;
          real[high] = real[low] - turnedReal;
          imaginary[high] = imaginary[low] - turnedImaginary;
          real[low] += turnedReal;
          imaginary[low] += turnedImaginary;
        }
      }
    }
    for (let at = 0; at <= size / 2; at++) {
      real[at] = real[at] * real[at] + imaginary[at] * imaginary[at];
    }
    return real.subarray(0, size / 2 + 1);
  }
}
