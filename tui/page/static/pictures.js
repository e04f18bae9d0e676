/** Waveform, spectrogram and attention of a sound, one cursor through all three. */

import { fillList, find, make } from "./dom.js";
import { BANDS, Spectrum, heightOf } from "./spectrum.js";

const RANGE = 65; // decibels from the loudest to the darkest
const RAMP = ["#080820", "#3a2070", "#8e2e76", "#de5c4c", "#faaa3e", "#fffac8"];
const MARKS = [1, 2, 4, 8]; // kHz
const LEAST_PEAK = 0.2; // a sound that is quieter looks quieter

const colours = ramp();
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Pictures {
  /** Is called with a place in seconds when the person points at one. */
  onPoint = () => {};
  #sound = null;
  #expected = 0;
  #misreadings = [];
  #due = false;
  #redraw = () => this.#soon();

  constructor() {
    const pictures = find("pictures");
    pictures.addEventListener("pointerdown", (event) => this.#point(event));
    pictures.addEventListener("pointermove", (event) => event.buttons && this.#point(event));
    new ResizeObserver(this.#redraw).observe(pictures);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.#redraw);
  }

  /** Show a sound, `expected` to be so many seconds long where it is still being made. */
  show(sound, expected) {
    for (const kind of ["grew", "done"]) {
      this.#sound?.removeEventListener(kind, this.#redraw);
      sound?.addEventListener(kind, this.#redraw);
    }
    this.#sound = sound;
    this.#expected = expected;
    this.#draw();
  }

  /** Show the picture of the attention at an address; none where that is empty. */
  attend(address) {
    const image = find("attention");
    find("attention-figure").hidden = !address;
    if (!address) image.removeAttribute("src");
    else if (image.getAttribute("src") !== address) image.src = address;
  }

  /** Mark where words were misread, over all pictures. */
  mark(misreadings) {
    this.#misreadings = misreadings;
    this.#placeBands();
  }

  #placeBands() {
    const { seconds } = this;
    const bands = seconds ? this.#misreadings : [];
    const bounds = bands.map((one) => [one.seconds / seconds, one.until / seconds]);
    fillList(find("bands"), bounds, ([start, end]) => {
      const band = make("div", { class: "band" });
      band.style.left = `${100 * Math.min(1, start)}%`;
      band.style.width = `${100 * Math.max(0.005, Math.min(1, end) - start)}%`;
      return band;
    });
  }

  /** Seconds that the width of the pictures stands for. */
  get seconds() {
    const { seconds = 0, done = true } = this.#sound ?? {};
    return done ? seconds : Math.max(seconds, this.#expected);
  }

  /** Move the cursor to a place in seconds. */
  point(seconds) {
    const cursor = find("cursor");
    const share = this.seconds ? Math.min(1, seconds / this.seconds) : 0;
    const place = calm.matches ? Math.round(share * 40) / 40 : share;
    cursor.hidden = !this.seconds;
    cursor.style.left = `${100 * place}%`;
  }

  #point(event) {
    const box = find("pictures").getBoundingClientRect();
    if (this.#sound) this.onPoint(((event.clientX - box.left) / box.width) * this.seconds);
  }

  #soon() {
    if (this.#due) return;
    this.#due = true;
    // Not an animation frame: a hidden tab has none, and computes nothing then.
    setTimeout(() => {
      this.#due = false;
      this.#draw();
    }, 30);
  }

  #draw() {
    find("pictures").toggleAttribute("data-empty", !this.#sound?.length);
    this.#placeBands();
    const [wave, spectrogram] = [find("waveform"), find("spectrogram")].map(fitted);
    if (!this.#sound?.length) return;
    drawWaveform(wave, this.#sound, this.seconds);
    drawSpectrogram(spectrogram, spectrumOf(this.#sound), this.seconds, this.#sound.rate);
  }
}

const spectra = new WeakMap();

/** The spectrum of what has arrived of a sound. */
export function spectrumOf(sound) {
  if (!spectra.has(sound)) spectra.set(sound, new Spectrum(sound.rate));
  const spectrum = spectra.get(sound);
  spectrum.extend(sound.samples, sound.done);
  return spectrum;
}

/** A canvas with a pixel for each of the screen's. */
function fitted(canvas) {
  const ratio = Math.min(2, devicePixelRatio);
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  return canvas;
}

function drawWaveform(canvas, sound, seconds) {
  const { width, height } = canvas;
  const drawing = canvas.getContext("2d");
  const { samples } = sound;
  const perPixel = (seconds * sound.rate) / width;
  const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), LEAST_PEAK);
  drawing.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width && x * perPixel < samples.length; x++) {
    let [low, high] = [1, -1];
    for (let at = Math.floor(x * perPixel); at < (x + 1) * perPixel && at < samples.length; at++) {
      low = Math.min(low, samples[at]);
      high = Math.max(high, samples[at]);
    }
    const top = (0.5 - (0.48 * high) / peak) * height;
    drawing.fillRect(x, top, 1, Math.max(1, (0.5 - (0.48 * low) / peak) * height - top));
  }
}

function drawSpectrogram(canvas, spectrum, seconds, rate) {
  const { width } = canvas;
  const image = new ImageData(width, BANDS);
  const columns = seconds / spectrum.step;
  for (let x = 0; x < width; x++) {
    const index = Math.floor((x * columns) / width);
    if (index >= spectrum.count) break;
    spectrum.column(index).forEach((value, band) => {
      const shade = Math.round(255 * Math.max(0, 1 + (value - spectrum.peak) / RANGE));
      image.data.set(colours[shade], 4 * ((BANDS - 1 - band) * width + x));
    });
  }
  const small = new OffscreenCanvas(width, BANDS);
  small.getContext("2d").putImageData(image, 0, 0);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(small, 0, 0, width, canvas.height);
  drawMarks(drawing, canvas, rate);
}

function drawMarks(drawing, { width, height }, rate) {
  const size = Math.round(9 * Math.min(2, devicePixelRatio));
  drawing.font = `${size}px sans-serif`;
  drawing.fillStyle = "#fffc";
  drawing.textAlign = "right";
  for (const kilohertz of MARKS.filter((mark) => 2000 * mark < rate)) {
    const y = (1 - heightOf(1000 * kilohertz, rate)) * height;
    drawing.fillRect(width - size / 2, y, size / 2, 1);
    drawing.fillText(`${kilohertz} kHz`, width - 0.8 * size, y + size / 3);
  }
}

/** 256 colours between those of the ramp, as the attention's picture has them. */
function ramp() {
  const stops = RAMP.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, shade) => {
    const place = (shade / 255) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    const mixed = stops[below].map(
      (value, channel) => value + (place - below) * (stops[below + 1][channel] - value),
    );
    return [...mixed, 255];
  });
}
