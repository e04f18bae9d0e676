/** A sentence that is typed here: how it will be read, and which weights speak it. */

import { ask } from "./connection.js";
import { fillSelect, find, hint, make, write } from "./dom.js";
import { titleOf } from "./series.js";

const READ_AFTER = 250; // milliseconds without a key

export class SpeakForm {
  #page;
  #given = "";
  #readSoon = 0;
  #read = "";
  #known = 0;
  #silent = "";

  constructor(page) {
    this.#page = page;
    find("speak-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    find("text").addEventListener("input", () => this.#readLater());
    find("text").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.submit();
      }
    });
  }

  /** Take in what is known of the voice, and the sentence that the page shows. */
  refresh(voice, sentence) {
    const text = find("text");
    if (text.value === this.#given && sentence !== this.#given) {
      text.value = sentence;
      this.#readLater();
    }
    this.#given = sentence;
    fillSelect(find("step"), choices(voice, "text2mel"));
    fillSelect(find("ssrn-step"), choices(voice, "ssrn"));
    find("ask").disabled = Boolean(voice.can_speak);
    find("ask").title = voice.can_speak ?? "";
    if (voice.can_speak) this.#say(`Cannot speak now: ${voice.can_speak}.`);
    else if (this.#silent || voice.speaking || voice.samples.length !== this.#known) this.#say("");
    this.#silent = voice.can_speak;
    this.#known = voice.samples.length;
  }

  /** Have the sentence spoken as the form says. */
  submit() {
    const sentence = find("text").value.trim();
    if (!sentence) {
      this.#say("Write a sentence first.");
      find("text").focus();
      return;
    }
    const chosen = (id) => {
      const { value } = find(id);
      return /^\d+$/.test(value) ? +value : value || null;
    };
    this.#speak({ sentence, step: chosen("step"), ssrn_step: chosen("ssrn-step") });
  }

  /** Have the sentence that the page shows spoken with the weights of this moment. */
  speakNow() {
    this.#speak({ sentence: this.#page.sentence });
  }

  /** Have a checkpoint speak the sentence that the page shows. */
  speakWith(checkpoint) {
    const which = checkpoint.network === "ssrn" ? "ssrn_step" : "step";
    this.#speak({ sentence: this.#page.sentence, [which]: checkpoint.step });
  }

  async #speak(request) {
    const { voice, autoplay } = this.#page;
    if (!voice) return;
    if (voice.can_speak) {
      hint(`Cannot speak now: ${voice.can_speak}.`);
      return;
    }
    autoplay.takeOver();
    this.#say("Requested.");
    try {
      await ask(`/voices/${voice.id}/speak`, request);
    } catch (error) {
      this.#say(error.message);
    }
  }

  #say(words) {
    write(find("asked"), words);
  }

  #readLater() {
    clearTimeout(this.#readSoon);
    this.#readSoon = setTimeout(() => this.#showReading(), READ_AFTER);
  }

  async #showReading() {
    const text = find("text").value.trim();
    const { voice } = this.#page;
    this.#read = text;
    let lines = [];
    try {
      if (text && voice) {
        lines = readingLines(await ask(`/voices/${voice.id}/read`, { text }), text);
      }
    } catch (error) {
      lines = [make("p", { class: "warning" }, error.message)];
    }
    if (this.#read === text) find("reading").replaceChildren(...lines);
  }
}

function readingLines(reading, text) {
  const warning = (words) => make("p", { class: "warning" }, words);
  const lines = reading.note ? [warning(reading.note)] : [];
  if (reading.cut) lines.push(warning("too long for one piece: spoken in several"));
  if (!reading.sentences.length) return [...lines, warning("this voice can read none of it")];
  const plain = text.toLowerCase();
  if (reading.sentences.length === 1 && reading.sentences[0].toLowerCase() === plain) {
    return [...lines, make("p", { class: "label" }, "read as written")];
  }
  const spoken = reading.sentences.map((sentence) => make("p", {}, sentence));
  return [...lines, make("p", { class: "label" }, "read as"), ...spoken];
}

/** The weights of a network that can speak: of this moment first. */
function choices(voice, network) {
  const kept = voice.checkpoints.filter((one) => one.network === network).reverse();
  const trained = voice.networks?.includes(network) && voice.running;
  const words = (checkpoint) => {
    const { held_out: heldOut } = checkpoint;
    const loss = heldOut == null ? "" : `held-out ${heldOut.toFixed(4)}`;
    return [titleOf(checkpoint), loss].filter(Boolean).join(" · ");
  };
  return [
    // Without its step: a list that changes while it is open closes.
    ["", trained ? "current" : "newest"],
    ...kept.map((one) => [String(one.step), words(one)]),
  ];
}
