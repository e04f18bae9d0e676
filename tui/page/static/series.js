/** The samples of one sentence over the checkpoints, and who has not spoken it. */

import { find, make, thousands, write } from "./dom.js";

const NETWORKS = { text2mel: "Text2Mel", ssrn: "SSRN" };

/** The sentences that a voice speaks, and those that it has spoken, newest first. */
export function sentencesOf(voice) {
  const shown = voice.samples.filter((sample) => !sample.for_comparison);
  const spoken = shown.map((sample) => sample.sentence).reverse();
  const now = voice.speaking ? [voice.speaking.sentence] : [];
  return [...new Set([...voice.sentences, ...now, ...spoken])];
}

/** The samples of a sentence, in the order of steps: what `[` and `]` go through. */
export function seriesOf(voice, sentence) {
  return voice.samples
    .filter((sample) => sample.sentence === sentence)
    .map((sample, place) => ({ ...sample, place }))
    .sort(
      (one, other) =>
        one.network.localeCompare(other.network) * -1 ||
        one.step - other.step ||
        (one.ssrn_step ?? 0) - (other.ssrn_step ?? 0) ||
        one.place - other.place,
    );
}

/** The checkpoints of the trained network that have no sample in a series. */
export function silentCheckpoints(voice, series) {
  const own = series.filter((sample) => sample.network === voice.network);
  const spoken = new Set(own.map((sample) => sample.step));
  return voice.checkpoints.filter(
    (checkpoint) => checkpoint.network === voice.network && !spoken.has(checkpoint.step),
  );
}

/** The checkpoint that made a sample, where it is still on disk. */
function checkpointOf(voice, sample) {
  return voice.checkpoints.find(
    (checkpoint) => checkpoint.network === sample.network && checkpoint.step === sample.step,
  );
}

/** The step of a sample, told apart from others of the same step. */
export function nameOf(sample, series) {
  const alike = series.filter(
    (other) => other.step === sample.step && other.network === sample.network,
  );
  if (alike.length < 2) return thousands(sample.step);
  const number = alike.findIndex((other) => other.file === sample.file) + 1;
  const ssrn = alike.every((other) => other.ssrn_step === sample.ssrn_step);
  if (ssrn || sample.ssrn_step == null) return `${thousands(sample.step)} (${number})`;
  return `${thousands(sample.step)} with SSRN ${thousands(sample.ssrn_step)}`;
}

const BEST_BY = { "held-out": "best held-out", judge: "best scores", listening: "best by ear" };

/** What a checkpoint is beside its step: `best` is the one to export. */
function marksOf(checkpoint) {
  return ["best", "base"].filter((mark) => checkpoint?.[mark]);
}

/** The same, with what it is the best by. */
function tagsOf(checkpoint) {
  return [...marksOf(checkpoint), ...(checkpoint?.best_by ?? []).map((by) => BEST_BY[by])];
}

/** The step of a checkpoint and what it is: `870,000 · best`. */
export function titleOf(checkpoint) {
  return [thousands(checkpoint.step), ...marksOf(checkpoint)].join(" · ");
}

/** The name of a sample, and what its checkpoint is. */
export function sampleTitle(voice, sample, series) {
  return [nameOf(sample, series), ...marksOf(checkpointOf(voice, sample))].join(" · ");
}

/** What is to be known of a sample, in a few words. */
export function describe(sample) {
  const ssrn = sample.network === "text2mel" && sample.ssrn_step != null;
  const made = sample.time && new Date(1000 * sample.time);
  return [
    `${NETWORKS[sample.network]} ${thousands(sample.step)}`,
    ssrn ? `SSRN ${thousands(sample.ssrn_step)}` : "",
    sample.note,
    made ? made.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** The list of rows; the newest step is on top. */
export class Rows {
  /** Are called with a sample, or with a checkpoint that has not spoken the sentence. */
  onPlay = () => {};
  onSpeak = () => {};
  #list = find("rows");
  #known = new Map();
  #checksums = new Map();

  constructor() {
    this.#list.addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Show the rows of a sentence; `chosen` is the file that the player has. */
  show(voice, sentence, chosen) {
    const series = seriesOf(voice, sentence);
    const { speaking } = voice;
    const listed = series.some((one) => one.file === speaking?.file);
    const grows = speaking?.sentence === sentence && !listed;
    const silent = silentCheckpoints(voice, series).filter(
      (one) => !grows || one.step !== speaking.step,
    );
    const rows = [
      ...(grows ? [this.#growingRow(speaking, chosen)] : []),
      ...series.map((sample) => this.#sampleRow(voice, sample, series, chosen)),
      ...silent.map((one) => this.#silentRow(voice, one)),
    ].sort((one, other) => other.step - one.step);
    this.#place(rows);
    const empty = find("no-rows");
    empty.hidden = rows.length > 0;
    write(empty, "Not spoken yet. Checkpoints speak it as they are saved; Speak does it now.");
  }

  /** Note on the row of a file what was played, for whoever wants to compare the bytes. */
  mark(file, checksum) {
    this.#checksums.set(file, checksum);
    const button = this.#known.get(file)?.button;
    if (button) button.dataset.sha256 = checksum;
  }

  #sampleRow(voice, sample, series, chosen) {
    const checkpoint = checkpointOf(voice, sample);
    const marks = tagsOf(checkpoint);
    if (sample.note === "base" && !marks.includes("base")) marks.push("base");
    const foreign = sample.network !== voice.network ? NETWORKS[sample.network] : "";
    return {
      key: sample.file,
      step: sample.step,
      name: nameOf(sample, series),
      tags: [foreign, sample.heard ? "" : "new", ...marks, misread(sample)].filter(Boolean),
      heldOut: lossOf(checkpoint),
      last: `${sample.seconds.toFixed(1)} s`,
      current: sample.file === chosen,
      action: () => this.onPlay(sample),
      hint: describe(sample),
    };
  }

  #silentRow(voice, checkpoint) {
    return {
      key: `step ${checkpoint.step}`,
      step: checkpoint.step,
      name: thousands(checkpoint.step),
      tags: tagsOf(checkpoint),
      heldOut: lossOf(checkpoint),
      last: voice.can_speak ? "–" : "speak",
      silent: true,
      disabled: Boolean(voice.can_speak),
      action: () => this.onSpeak(checkpoint),
      hint: voice.can_speak || "Have this checkpoint speak the sentence",
    };
  }

  #growingRow(speaking, chosen) {
    return {
      key: speaking.file,
      step: speaking.step,
      name: thousands(speaking.step),
      tags: ["new"],
      heldOut: "",
      last: "…",
      current: speaking.file === chosen,
      action: () => this.onPlay(speaking),
      hint: "",
    };
  }

  /** Put the rows in place, touching only what changed: focus and reading stay where they are. */
  #place(rows) {
    for (const [key, known] of this.#known) {
      if (!rows.some((row) => row.key === key)) {
        known.item.remove();
        this.#known.delete(key);
      }
    }
    rows.forEach((row, place) => {
      const known = this.#known.get(row.key) ?? this.#newRow(row.key);
      const there = this.#list.children[place];
      if (there !== known.item) this.#list.insertBefore(known.item, there ?? null);
      known.action = row.action;
      fill(known.button, row);
      if (this.#checksums.has(row.key)) known.button.dataset.sha256 = this.#checksums.get(row.key);
    });
    this.#letIn(rows);
  }

  /** Tab comes to the list once; inside, arrows move. */
  #letIn(rows) {
    const buttons = [...this.#list.querySelectorAll("button")];
    const within = buttons.find((one) => one === document.activeElement);
    const current = rows.findIndex((row) => row.current);
    const open = within ?? buttons[Math.max(0, current)];
    buttons.forEach((button) => (button.tabIndex = button === open ? 0 : -1));
  }

  #newRow(key) {
    const button = make("button", { type: "button", class: "row" });
    const known = { button, item: make("li", {}, button), action: () => {} };
    button.dataset.key = key;
    button.addEventListener("click", () => known.action());
    this.#known.set(key, known);
    return known;
  }

  #walk(event) {
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const target = buttons[Math.max(0, Math.min(to, buttons.length - 1))];
    buttons.forEach((button) => (button.tabIndex = button === target ? 0 : -1));
    target.focus();
  }
}

/** How many words were misread: the player says which. */
function misread({ misreadings = [] }) {
  return misreadings.length ? `misread: ${misreadings.length}` : "";
}

function lossOf(checkpoint) {
  return checkpoint?.held_out == null ? "" : checkpoint.held_out.toFixed(4);
}

function fill(button, row) {
  const wanted = JSON.stringify([row.name, row.tags, row.heldOut, row.last]);
  if (button.dataset.shown !== wanted) {
    button.dataset.shown = wanted;
    button.replaceChildren(
      make(
        "span",
        { class: "name" },
        row.name,
        ...row.tags.map((tag) => make("span", { class: `tag ${tag.split(/\W/)[0]}` }, tag)),
      ),
      make("span", {}, row.heldOut && make("span", { class: "unseen" }, "held-out "), row.heldOut),
      make("span", {}, row.last),
    );
  }
  button.title = row.hint;
  button.disabled = Boolean(row.disabled);
  button.classList.toggle("silent", Boolean(row.silent));
  if (row.current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
