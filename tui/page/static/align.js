/** Two sounds of one sentence, made comparable: equal loudness, and the same place in both. */

import { BANDS } from "./spectrum.js";

const BLOCK_SECONDS = 0.4;
const OVERLAP = 4;
const MAX_FRAMES = 1200;
const GROUP = 4; // bands that are taken together
const OFF_DIAGONAL = 1.6; // how much dearer it is that only one of two sounds moves on

/**
 * How loud a sound is, in LUFS after ITU-R BS.1770: weighted by frequency, pauses left out.
 */
export function loudness(samples, rate) {
  const heard = weighted(samples, rate);
  const block = Math.min(heard.length, Math.round(BLOCK_SECONDS * rate));
  const powers = [];
  for (let start = 0; block && start + block <= heard.length; start += Math.ceil(block / OVERLAP)) {
    let sum = 0;
    for (let at = start; at < start + block; at++) sum += heard[at] * heard[at];
    powers.push(sum / block);
  }
  const inDecibels = (power) => -0.691 + 10 * Math.log10(power);
  const mean = (list) => list.reduce((one, other) => one + other, 0) / list.length;
  const loud = powers.filter((power) => inDecibels(power) > -70);
  if (!loud.length) return -Infinity;
  const gate = inDecibels(mean(loud)) - 10;
  return inDecibels(mean(loud.filter((power) => inDecibels(power) > gate)));
}

/** Factors that make two sounds equally loud: the louder one is turned down, none up. */
export function equalLevels(first, second) {
  const [one, other] = [first, second].map((sound) => loudness(sound.samples, sound.rate));
  if (!Number.isFinite(one) || !Number.isFinite(other)) return [1, 1];
  const quieter = Math.min(one, other);
  return [one, other].map((level) => 10 ** ((quieter - level) / 20));
}

/** The two filters of BS.1770: the head's shelf, and less below 38 Hz. */
function weighted(samples, rate) {
  const shelf = { hertz: 1681.974450955533, quality: 0.7071752369554196 };
  const k = Math.tan((Math.PI * shelf.hertz) / rate);
  const high = 10 ** (3.999843853973347 / 20);
  const band = high ** 0.4996667741545416;
  const over = k / shelf.quality;
  const shelved = filtered(
    samples,
    [high + band * over + k * k, 2 * (k * k - high), high - band * over + k * k],
    [1 + over + k * k, 2 * (k * k - 1), 1 - over + k * k],
  );
  const low = Math.tan((Math.PI * 38.13547087602444) / rate);
  const under = low / 0.5003270373238773;
  const scale = 1 + under + low * low;
  const last = [scale, 2 * (low * low - 1), 1 - under + low * low];
  return filtered(shelved, [scale, -2 * scale, scale], last);
}

function filtered(samples, [b0, b1, b2], [a0, a1, a2]) {
  const out = new Float32Array(samples.length);
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  for (let at = 0; at < samples.length; at++) {
    const x = samples[at];
    const y = (b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2) / a0;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    out[at] = y;
  }
  return out;
}

/**
 * Where the sentence of one sound is in the other, by their spectra (dynamic time warping).
 *
 * Returns two functions of seconds: from the first to the second, and back.
 */
export function alignment(first, second) {
  const [one, other] = [frames(first), frames(second)];
  if (!one.rows.length || !other.rows.length) return [(at) => at, (at) => at];
  const path = cheapestPath(one.rows, other.rows);
  const [from, to] = [path.map(([i]) => i * one.step), path.map(([, j]) => j * other.step)];
  return [(at) => interpolated(from, to, at), (at) => interpolated(to, from, at)];
}

/** The spectrum in a few bands and frames, each band's mean taken away. */
function frames(spectrum) {
  const every = Math.max(3, Math.ceil(spectrum.count / MAX_FRAMES));
  const rows = [];
  for (let index = 0; index < spectrum.count; index += every) {
    const column = spectrum.column(index);
    const row = new Float32Array(BANDS / GROUP);
    column.forEach((value, band) => {
      row[Math.floor(band / GROUP)] += Math.max(value, spectrum.peak - 60) / GROUP;
    });
    rows.push(row);
  }
  for (let band = 0; band < BANDS / GROUP; band++) {
    const mean = rows.reduce((sum, row) => sum + row[band], 0) / rows.length;
    rows.forEach((row) => (row[band] -= mean));
  }
  return { rows, step: every * spectrum.step };
}

function cheapestPath(one, other) {
  const width = other.length;
  const came = new Uint8Array(one.length * width); // 0 diagonal, 1 from above, 2 from the left
  let above = new Float32Array(width).fill(Infinity);
  one.forEach((row, i) => {
    const costs = new Float32Array(width);
    for (let j = 0; j < width; j++) {
      const distance = distanceOf(row, other[j]);
      const ways = [
        j && i ? above[j - 1] + distance : i || j ? Infinity : distance,
        above[j] + OFF_DIAGONAL * distance,
        j ? costs[j - 1] + OFF_DIAGONAL * distance : Infinity,
      ];
      const best = ways[1] < ways[0] ? (ways[2] < ways[1] ? 2 : 1) : ways[2] < ways[0] ? 2 : 0;
      came[i * width + j] = best;
      costs[j] = ways[best];
    }
    above = costs;
  });
  const path = [];
  for (let i = one.length - 1, j = width - 1; i >= 0 && j >= 0; ) {
    path.push([i, j]);
    const way = came[i * width + j];
    if (way !== 2) i--;
    if (way !== 1) j--;
  }
  return path.reverse();
}

function distanceOf(one, other) {
  let sum = 1; // standing still is never free
  for (let band = 0; band < one.length; band++) sum += Math.abs(one[band] - other[band]);
  return sum;
}

function interpolated(from, to, at) {
  const next = from.findIndex((value) => value > at);
  if (next < 0) return to.at(-1) + Math.max(0, at - from.at(-1));
  if (next === 0) return to[0];
  const share = (at - from[next - 1]) / (from[next] - from[next - 1]);
  return to[next - 1] + share * (to[next] - to[next - 1]);
}
