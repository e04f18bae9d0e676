/** Single keys, those of the terminal where it has them. */

import { find, hint, make, usesKey } from "./dom.js";

const OFF = "voicecoach-keys-off";

export class Keys {
  /** The list that keys were pressed in last. */
  #walked = null;

  constructor(page) {
    const { listening } = page;
    const { player } = listening;
    /** Key, how it is written, what it does. */
    const keys = [
      [" ", "Space", "play or pause", () => listening.toggle()],
      ["r", "r", "replay from the start", () => listening.replay()],
      ["ArrowLeft", "←", "back by half a second", () => player.seek(player.position - 0.5)],
      ["ArrowRight", "→", "on by half a second", () => player.seek(player.position + 0.5)],
      ["[", "[", "the same sentence, an older checkpoint", () => page.step(-1)],
      ["]", "]", "the same sentence, a newer checkpoint", () => page.step(1)],
      [",", ", or {", "previous sentence", () => page.stepSentence(-1)],
      [".", ". or }", "next sentence", () => page.stepSentence(1)],
      ["f", "f", "flip between A and B", () => listening.flip()],
      ["o", "o", "flip between the sample and the recording", () => listening.flipToOriginal()],
      ["a", "a", "speak the sentence with the current weights", () => page.form.speakNow()],
      ["e", "e", "write a sentence", () => writeSentence()],
      ["b", "b", "blind test", () => page.blind.start()],
      ["d", "d", "download the sample", () => download()],
      ["m", "m", "sound on or off", () => find("sound").click()],
      ["?", "?", "these keys", () => find("keys").showModal()],
    ];
    this.actions = new Map(keys.map(([key, , , action]) => [key, action]));
    this.actions.set("{", this.actions.get(","));
    this.actions.set("}", this.actions.get("."));
    for (const [, name, words] of keys) {
      const row = make("tr", {}, make("th", { scope: "row" }, make("kbd", {}, name)));
      row.append(make("td", {}, words));
      find("key-rows").append(row);
    }
    find("help").addEventListener("click", () => find("keys").showModal());
    const on = find("keys-on");
    on.checked = localStorage.getItem(OFF) === null;
    on.addEventListener("change", () => {
      if (on.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "off");
    });
    addEventListener("keydown", (event) => this.#press(event));
    addEventListener("pointerdown", () => {
      this.#walked = null;
      hint("");
    });
    addEventListener("change", ({ target }) => this.#leave(target));
  }

  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (!find("keys-on").checked || document.querySelector("dialog[open]")) return;
    const { target, key } = event;
    const slides = target.id === "seek" && !key.startsWith("Arrow");
    const list = target.closest("select");
    if (list && usesKey(list, key)) this.#walked = list;
    if (list ? usesKey(list, key) : target.closest("textarea, input") && !slides) {
      if (key === "Escape") target.blur();
      return;
    }
    // On a button, Space and Enter press it.
    if (key === " " && target.closest("button, a")) return;
    const action = this.actions.get(key.length === 1 ? key.toLowerCase() : key);
    if (!action || find("main").hidden) return;
    event.preventDefault();
    hint("");
    action();
  }

  /** Give the keys back after a choice; whoever walks through a list with keys stays there. */
  #leave(target) {
    if (!target.matches("select") || target === this.#walked) return;
    const dialog = target.closest("dialog");
    if (dialog) dialog.querySelector("[autofocus]").focus();
    else target.blur();
  }
}

function download() {
  if (find("download").hidden) hint("Nothing to download yet.");
  else find("download").click();
}

function writeSentence() {
  const text = find("text");
  text.focus();
  text.select();
}
