/** The page: which voice and sentence are shown, and what is played of them. */

import { Autoplay } from "./autoplay.js";
import { BlindTest } from "./blind.js";
import { Connection, ask } from "./connection.js";
import { fillSelect, find, hint, make, thousands, write } from "./dom.js";
import { Keys } from "./keys.js";
import { Listening, itemOf } from "./listening.js";
import { Rows, sentencesOf, seriesOf } from "./series.js";
import { SpeakForm } from "./speak.js";
import { showState } from "./state.js";

const NOBODY =
  "No voice is being trained on this host. A run appears here automatically; " +
  "`voicecoach listen VOICE` shows a voice without one.";
const UNKNOWN = { samples: [], sentences: [], checkpoints: [], speaking: null, can_speak: "" };

class Page {
  voices = [];
  voice = null;
  sentence = "";
  listening = new Listening();
  rows = new Rows();
  form = new SpeakForm(this);
  blind = new BlindTest(this);
  autoplay = new Autoplay(this);
  #connection = new Connection();
  #lost = "";

  constructor() {
    this.rows.onPlay = (sample) => this.play(sample);
    this.rows.onSpeak = (checkpoint) => this.form.speakWith(checkpoint);
    this.listening.onNeed = (checkpoint) => this.form.speakWith(checkpoint);
    this.listening.onBegin = (item) => this.#begun(item);
    this.listening.onHeard = (item, checksum) => this.#heard(item, checksum);
    const connection = this.#connection;
    connection.wanted = () => this.autoplay.on;
    connection.addEventListener("state", ({ detail }) => this.show(detail.voices, detail.trouble));
    connection.addEventListener("play", (event) => this.autoplay.asked(event.detail));
    connection.addEventListener("open", () => this.autoplay.begin());
    connection.addEventListener("trouble", (event) => this.#trouble(event.detail));
    find("sentence").addEventListener("change", (event) => this.choose(event.target.value));
    find("earlier-sentence").addEventListener("click", () => this.stepSentence(-1));
    find("later-sentence").addEventListener("click", () => this.stepSentence(1));
    find("older").addEventListener("click", () => this.step(-1));
    find("newer").addEventListener("click", () => this.step(1));
    find("open-blind").addEventListener("click", () => this.blind.start());
    addEventListener("hashchange", () => this.show(this.voices));
    new Keys(this);
    connection.open();
  }

  /** Take in what the server knows. */
  show(voices, trouble = "") {
    this.voices = voices.map((voice) => ({ ...UNKNOWN, ...voice }));
    const before = this.voice?.id;
    const named = (id) => this.voices.find((one) => one.id === id);
    this.voice = named(location.hash.slice(1)) ?? named(before) ?? this.voices[0] ?? null;
    find("state").hidden = find("main").hidden = !this.voice;
    write(find("nobody"), this.voice ? "" : trouble || NOBODY);
    this.#showVoices();
    if (!this.voice) return;
    if (this.voice.id !== before) {
      this.sentence = "";
      this.listening.clear();
    }
    showState(this.voice);
    this.autoplay.look(this.voices);
    this.refresh();
    if (!this.listening.item) this.#openNewest();
  }

  /** Show what is known of the voice and the sentence. */
  refresh() {
    const { voice } = this;
    this.sentence = this.listening.learn(voice) ?? this.sentence;
    const sentences = sentencesOf(voice);
    if (!this.sentence) this.sentence = sentences[0] ?? "";
    const shown = sentences.includes(this.sentence) ? sentences : [this.sentence, ...sentences];
    fillSelect(find("sentence"), shown.map((one) => [one, one]), this.sentence); // prettier-ignore
    this.rows.show(voice, this.sentence, this.listening.item?.file);
    this.listening.refresh(voice, this.sentence);
    this.form.refresh(voice, this.sentence);
    this.blind.refresh(voice);
    const series = seriesOf(voice, this.sentence);
    const at = series.findIndex((sample) => sample.file === this.listening.item?.file);
    find("older").disabled = at === 0 || !series.length;
    find("newer").disabled = at === series.length - 1 || !series.length;
    const place = sentences.indexOf(this.sentence);
    find("earlier-sentence").disabled = place <= 0;
    find("later-sentence").disabled = place >= sentences.length - 1;
  }

  /** Show another voice. */
  enter(voiceId) {
    if (this.voice?.id === voiceId) return;
    history.replaceState(null, "", `#${voiceId}`);
    this.show(this.voices);
  }

  /** Show another sentence. */
  choose(sentence) {
    if (sentence === this.sentence) return;
    this.sentence = sentence;
    this.listening.clear();
    this.refresh();
    this.#openNewest();
  }

  stepSentence(by) {
    if (!this.voice) return;
    const sentences = sentencesOf(this.voice);
    const next = sentences[sentences.indexOf(this.sentence) + by];
    if (next !== undefined) this.choose(next);
    else hint(`There is no ${by < 0 ? "previous" : "next"} sentence.`);
  }

  /** Play the same sentence from an older (-1) or a newer (1) checkpoint. */
  step(by) {
    if (!this.voice) return;
    const series = seriesOf(this.voice, this.sentence);
    const at = series.findIndex((sample) => sample.file === this.listening.item?.file);
    const next = at < 0 ? series.at(-1) : series[at + by];
    if (next) this.play(next);
    else if (!series.length) hint("No checkpoint has spoken this sentence yet.");
    else hint(`There is no ${by < 0 ? "older" : "newer"} sample of this sentence.`);
  }

  /** Play a sample of the shown voice that the person chose. */
  play(sample) {
    this.autoplay.takeOver();
    if (sample.file === this.listening.item?.file) {
      this.listening.toggle();
      return;
    }
    this.listening.open(itemOf(this.voice, sample));
    this.refresh();
  }

  /** Play a sample that is new. */
  playNew(voiceId, sample) {
    this.enter(voiceId);
    this.sentence = sample.sentence;
    this.listening.refresh(this.voice, this.sentence);
    this.listening.open(itemOf(this.voice, sample));
    this.refresh();
  }

  /** Play what a terminal asked for: a sample, or any other sound. */
  playAddress(voiceId, url, title) {
    if (this.voices.some((one) => one.id === voiceId)) this.enter(voiceId);
    const sample = this.voice?.samples.find((one) => itemOf(this.voice, one).url === url);
    if (sample) {
      this.playNew(voiceId, sample);
    } else {
      const about = "asked for in the terminal";
      this.listening.open({ url, heading: title, about, attention: "" });
    }
  }

  #openNewest() {
    const newest = seriesOf(this.voice, this.sentence).at(-1);
    if (!newest) return;
    this.listening.open(itemOf(this.voice, newest), false);
    this.refresh();
  }

  #begun({ file }) {
    if (!file || !this.voice) return;
    const sample = this.voice.samples.find((one) => one.file === file);
    if (sample?.heard === false) this.#markHeard(file);
  }

  #heard({ file }, checksum) {
    if (!file || !this.voice) return;
    this.rows.mark(file, checksum);
    const sample = this.voice.samples.find((one) => one.file === file);
    if (!sample || sample.heard === false) this.#markHeard(file);
  }

  #markHeard(file) {
    // Its mark is no more than a convenience.
    ask(`/voices/${this.voice.id}/heard`, { file }).catch(() => {});
  }

  #showVoices() {
    const nav = find("voices");
    const links = this.voices.map((one) => [
      { href: `#${one.id}`, title: one.folder, "aria-current": one.id === this.voice?.id && "page" },
      voiceWords(one),
    ]);
    const wanted = JSON.stringify(links);
    nav.hidden = links.length < 2;
    if (nav.dataset.shown === wanted) return;
    nav.dataset.shown = wanted;
    nav.replaceChildren(...links.map(([attributes, words]) => make("a", attributes, words)));
  }

  #trouble(sentence) {
    const trouble = find("trouble");
    write(trouble, sentence);
    trouble.hidden = !sentence;
    document.body.classList.toggle("stale", Boolean(sentence));
  }
}

function voiceWords(voice) {
  const step = voice.step === undefined ? "" : ` ${thousands(voice.step)}`;
  return voice.running ? `${voice.name}${step}` : `${voice.name} (not training)`;
}

new Page();
