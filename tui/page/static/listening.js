/** What plays, its pictures, and the one that it is compared with. */

import { clock, fillSelect, find, hint, thousands, write } from "./dom.js";
import { Pair } from "./pair.js";
import { Pictures } from "./pictures.js";
import { Player } from "./player.js";
import { showMisreadings, showScores } from "./scores.js";
import { describe, nameOf, sampleTitle, seriesOf, silentCheckpoints, titleOf } from "./series.js";
import { Sound } from "./sound.js";

const MAX_SOUNDS = 24;
const NOTHING = "";
const ORIGINAL = "original";
const SILENT = "step ";

export class Listening {
  player = new Player();
  pictures = new Pictures();
  /** Is called with the file that was played to its end, and the checksum of its samples. */
  onHeard = () => {};
  /** Is called when a sound that the person cannot have started begins. */
  onBegin = () => {};
  /** Is called with a checkpoint that is to speak, to be compared. */
  onNeed = () => {};
  /** Whether the blind test has the player. */
  lent = false;
  #sounds = new Map();
  #items = [null, null];
  #side = 0;
  #pair = null;
  #awaited = null;
  #voice = null;
  #series = [];
  /** The sounds whose pictures are shown, and whose beginning was told. */
  #shown = null;
  #begun = null;
  #frame = 0;

  constructor() {
    this.player.addEventListener("change", () => this.#changed());
    this.player.addEventListener("ended", () => this.#ended());
    this.pictures.onPoint = (seconds) => this.player.seek(seconds);
    find("play").addEventListener("click", () => this.toggle());
    find("seek").addEventListener("input", (event) => this.player.seek(+event.target.value));
    find("other").addEventListener("change", (event) => this.#compareWith(event.target.value));
    find("side-a").addEventListener("click", () => this.flip(0));
    find("side-b").addEventListener("click", () => this.flip(1));
  }

  /** The item that the player has: a sample's, or one that a terminal asked for. */
  get item() {
    return this.#items[0];
  }

  /** Whether two are being compared. */
  get comparing() {
    return this.#items[1] !== null;
  }

  /** The sound at an address, which is fetched once. */
  sound(url) {
    const known = this.#sounds.get(url);
    this.#sounds.delete(url);
    const sound = known && !known.trouble ? known : new Sound(url);
    if (sound !== known) {
      for (const kind of ["grew", "done"]) {
        sound.addEventListener(kind, () => sound === this.player.sound && this.#changed());
      }
    }
    this.#sounds.set(url, sound);
    if (this.#sounds.size > MAX_SOUNDS) this.#sounds.delete(this.#sounds.keys().next().value);
    return sound;
  }

  /** Whether a sample was asked for to be compared with the one that is shown. */
  awaits(sample) {
    return sample.step === this.#awaited?.step && sample.sentence === this.item?.sentence;
  }

  /** Take an item in, and play it from its start. */
  async open(item, play = true) {
    const kept = this.#items[1];
    const other = kept && kept.sentence === item.sentence && kept.url !== item.url ? kept : null;
    this.#items = [item, other];
    this.#side = 0;
    this.#match();
    this.#show();
    await this.player.open(this.sound(item.url), { level: this.#level(), play });
  }

  /** Show nothing: the voice or the sentence has changed. */
  clear() {
    this.#items = [null, null];
    this.#awaited = null;
    this.#match();
    this.player.pause();
    this.player.sound = null;
    this.#show();
    this.#changed();
  }

  toggle() {
    if (!this.item) hint("Nothing to play yet.");
    if (this.player.playing) this.player.pause();
    else if (this.player.sound?.trouble) this.open(this.item);
    else this.player.play();
  }

  async replay() {
    this.player.pause();
    await this.player.seek(0);
    await this.player.play();
  }

  /**
   * Go on with the other of two that are compared, at the same place in the sentence; from its
   * start where the first is at its end. One that was paused on the way stays so.
   */
  async flip(side = 1 - this.#side, play = !this.player.midway) {
    if (!this.comparing && !this.#awaited) hint("Choose what to compare with first.");
    if (!this.comparing || side === this.#side) return;
    const { playing, midway, position } = this.player;
    const at = playing || midway ? this.#pair.across(this.#side, position) : 0;
    this.#side = side;
    this.#show();
    const sound = this.sound(this.#items[side].url);
    await this.player.open(sound, { at, level: this.#level(), play });
  }

  /** Take in what is known of the voice now. */
  refresh(voice, sentence) {
    this.#voice = voice;
    this.#series = seriesOf(voice, sentence);
    this.#items = this.#items.map((item) => item && this.#renewed(item));
    this.#forget();
    this.#meet(sentence);
    this.#offer();
    this.#show();
  }

  /**
   * A terminal may ask for a sample that is not listed yet. Once it is, take in what is known of
   * it, and return its sentence.
   */
  learn(voice) {
    const [item, other] = this.#items;
    if (!item || item.sentence) return null;
    const sample = voice.samples.find((one) => addressOf(voice, one.file) === item.url);
    if (!sample) return null;
    this.#items = [itemOf(voice, sample), other];
    return sample.sentence;
  }

  /** Hand the player to the blind test, or take it back. */
  lend(lent) {
    this.lent = lent;
    this.player.pause();
    const item = this.#items[this.#side];
    if (!lent && item) {
      this.player.open(this.sound(item.url), { level: this.#level(), play: false });
    }
  }

  /** Forget the sounds of files that are gone: their names may be given again. */
  #forget() {
    const { id, samples, speaking } = this.#voice;
    const files = [...samples.flatMap((one) => [one.file, one.original]), speaking?.file];
    const kept = new Set(files.map((file) => addressOf(this.#voice, file ?? "")));
    this.#items.forEach((item) => kept.add(item?.url));
    for (const url of this.#sounds.keys()) {
      if (url.startsWith(`/voices/${id}/samples/`) && !kept.has(url)) this.#sounds.delete(url);
    }
  }

  #renewed(item) {
    const sample = this.#series.find((one) => one.file === item.file);
    return sample ? itemOf(this.#voice, sample) : item;
  }

  #level() {
    return this.#pair?.levels[this.#side] ?? 1;
  }

  // Comparing.

  #offer() {
    const file = this.item?.file;
    const others = this.#series.filter((sample) => sample.file !== file).reverse();
    const original = this.#series.some((sample) => sample.original);
    const silent = this.#voice.can_speak ? [] : silentCheckpoints(this.#voice, this.#series);
    const first = (one) => [SILENT + one.step, `${titleOf(one)} (not spoken yet)`];
    const options = [
      [NOTHING, "nothing"],
      ...(original ? [[ORIGINAL, "the recording"]] : []),
      ...others.map((sample) => [sample.file, sampleTitle(this.#voice, sample, this.#series)]),
      ...silent.reverse().map(first),
    ];
    const awaited = this.#awaited && SILENT + this.#awaited.step;
    fillSelect(find("other"), options, awaited ?? this.#items[1]?.choice ?? NOTHING);
  }

  #compareWith(choice) {
    this.#awaited = null;
    if (this.#side === 1) this.flip(0, this.player.playing);
    this.#items[1] = null;
    if (choice.startsWith(SILENT)) {
      const step = +choice.slice(SILENT.length);
      this.#awaited = silentCheckpoints(this.#voice, this.#series).find((one) => one.step === step);
      if (this.#awaited) this.onNeed(this.#awaited);
    } else if (choice === ORIGINAL) {
      this.#items[1] = originalOf(this.#voice, this.#series);
    } else {
      const sample = this.#series.find((one) => one.file === choice);
      if (sample) this.#items[1] = itemOf(this.#voice, sample);
    }
    this.#match();
    this.#show();
  }

  /** The recording, where there is one: flips to it and back. */
  flipToOriginal() {
    const original = this.#voice && originalOf(this.#voice, this.#series);
    if (!original) {
      hint("There is no recording of this sentence.");
    } else if (this.#items[1]?.url === original.url) {
      this.flip();
    } else {
      const play = !this.player.midway;
      this.#compareWith(ORIGINAL);
      this.#offer();
      this.flip(1, play);
    }
  }

  /** The sample that was waited for, to be compared. */
  #meet() {
    const awaited = this.#awaited;
    if (!awaited) return;
    const sample = this.#series.findLast(
      (one) => one.step === awaited.step && one.network === awaited.network,
    );
    if (!sample || !this.item || sample.file === this.item.file) return;
    this.#awaited = null;
    this.#items[1] = itemOf(this.#voice, sample);
    this.#match();
    if (!this.player.playing) this.flip(1).then(() => this.replay());
  }

  #match() {
    const [first, second] = this.#items;
    if (!first || !second) {
      this.#pair = null;
      return;
    }
    const pair = new Pair(this.sound(first.url), this.sound(second.url));
    this.#pair = pair;
    pair.ready.then(() => this.#pair === pair && this.#show());
  }

  // What is seen.

  #show() {
    const item = this.#items[this.#side];
    write(find("spoken"), item ? item.heading : "Nothing chosen yet");
    write(find("about"), item ? item.about : "");
    const sound = item && this.sound(item.url);
    if (this.#shown !== sound) {
      this.#shown = sound;
      this.pictures.show(sound, this.#expected(item));
    }
    this.pictures.attend(item?.attention ?? "");
    this.pictures.mark(item?.misreadings ?? []);
    showMisreadings(item?.misreadings ?? [], (seconds) => this.#playFrom(seconds));
    showScores(this.#voice, item);
    const download = find("download");
    download.hidden = !item;
    if (item) download.href = `${item.url}?download=1`;
    this.#showComparison();
  }

  async #playFrom(seconds) {
    await this.player.seek(seconds);
    await this.player.play();
  }

  #expected(item) {
    return this.#series.findLast((sample) => sample.file !== item?.file)?.seconds ?? 0;
  }

  #showComparison() {
    const [first, second] = this.#items;
    find("flip").hidden = !second;
    const [a, b] = [find("side-a"), find("side-b")];
    a.setAttribute("aria-pressed", String(this.#side === 0));
    b.setAttribute("aria-pressed", String(this.#side === 1));
    const name = (item) => {
      const sample = this.#series.find((one) => one.file === item?.file);
      return sample ? nameOf(sample, this.#series) : (item?.name ?? "");
    };
    write(a, `A: ${name(first)}`);
    write(b, `B: ${name(second)}`);
    let words = this.#awaited ? `Waiting for ${thousands(this.#awaited.step)} to speak the sentence…` : "";
    if (this.#pair) {
      const [one, other] = this.#pair.levels.map((level) => -20 * Math.log10(level));
      const turned = one > other ? "A" : "B";
      const by = Math.max(one, other).toFixed(1);
      words = by === "0.0" ? "Equally loud." : `Equally loud: ${turned} turned down by ${by} dB.`;
    }
    write(find("compared"), words);
  }

  #changed() {
    if (this.lent) return;
    const { sound, playing, waiting } = this.player;
    const play = find("play");
    play.disabled = !sound;
    write(play, playing ? (waiting ? "Waiting…" : "Pause") : sound?.trouble ? "Try again" : "Play");
    this.#follow();
    if (playing && !this.#frame) this.#run();
    if (playing && !waiting) this.#begin(sound);
  }

  #run() {
    this.#follow();
    const again = this.player.playing && !this.lent;
    this.#frame = again ? requestAnimationFrame(() => this.#run()) : 0;
  }

  #follow() {
    if (this.lent) return;
    const { position, sound } = this.player;
    const seconds = this.pictures.seconds;
    const seek = find("seek");
    seek.disabled = !sound?.length;
    if (seek.max !== String(seconds)) seek.max = seconds;
    seek.value = position;
    write(find("clock"), sound ? `${clock(position)} / ${clock(seconds)}` : "");
    write(find("cut-short"), sound?.trouble ?? "");
    // A screen reader would read every tenth while it plays.
    const place = position.toFixed(this.player.playing ? 0 : 1);
    seek.setAttribute("aria-valuetext", `${place} of ${seconds.toFixed(1)} seconds`);
    this.pictures.point(position);
  }

  #begin(sound) {
    const item = this.#items[this.#side];
    if (!item || this.sound(item.url) !== sound || this.#begun === sound) return;
    this.#begun = sound;
    this.onBegin(item);
  }

  async #ended() {
    const { sound } = this.player;
    const item = this.#items[this.#side];
    this.#begun = null;
    if (this.lent || !item || sound.trouble || this.sound(item.url) !== sound) return;
    const checksum = await sound.checksum();
    this.onHeard(item, checksum);
  }
}

function addressOf(voice, file) {
  return `/voices/${voice.id}/samples/${encodeURIComponent(file)}`;
}

/** A sample as the player takes it in. */
export function itemOf(voice, sample) {
  const picture = sample.file.replace(/\.wav$/, ".png");
  return {
    url: addressOf(voice, sample.file),
    file: sample.file,
    choice: sample.file,
    sentence: sample.sentence,
    heading: sample.sentence,
    about: sample.network ? describe(sample) : `step ${thousands(sample.step)}`,
    attention: sample.attention ? addressOf(voice, picture) : "",
    misreadings: sample.misreadings ?? [],
    network: sample.network,
    step: sample.step,
  };
}

/** The recording beside the newest of some samples that has one; null without. */
function originalOf(voice, series) {
  const sample = series.findLast((one) => one.original);
  if (!sample) return null;
  return {
    url: addressOf(voice, sample.original),
    choice: ORIGINAL,
    name: "the recording",
    sentence: sample.sentence,
    heading: sample.sentence,
    about: "the recording of a held-out clip",
    recording: true,
    attention: "",
  };
}
