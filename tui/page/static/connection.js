/** The way to the page's server: what it tells by itself, and requests. */

import { refusal } from "./sound.js";

const AGAIN_AFTER = [500, 1000, 2000, 5000]; // milliseconds between tries
const REST_AFTER = 60_000; // a hidden tab that plays nothing gives its connection up

const LOST =
  "No connection to the page's server; trying again. If you came by ssh, is the forward " +
  "(ssh -L) still open? If the server has ended, start it again (key l in the terminal, or " +
  "`voicecoach listen`) and open the new address that it shows: this one no longer works then.";
const REPLACED =
  "This page is open in too many tabs; newer ones took this one's place. Close some, then reload.";

/** The name of this tab: what a terminal asks for is played by the tab that was used last. */
export const TAB = crypto.getRandomValues(new Uint32Array(4)).join("-");

/** Send a request; returns its JSON, or fails with a sentence for the person. */
export async function ask(path, body) {
  const options = body && {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The page's server does not answer.");
  }
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer.json();
}

/**
 * Keeps listening to the server: tells "state" and "play" with their data, "open", and "trouble"
 * with a sentence, which is empty once all is well.
 */
export class Connection extends EventTarget {
  /** Whether a hidden tab still wants to be told. */
  wanted = () => true;
  #source = null;
  #tries = 0;
  #timer = 0;
  #rest = 0;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => this.#visibility());
  }

  open() {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(`/events?tab=${TAB}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#tries = 0;
      this.#tell("trouble", "");
      this.#tell("open");
    });
    for (const kind of ["state", "play"]) {
      source.addEventListener(kind, (event) => this.#tell(kind, JSON.parse(event.data)));
    }
    source.addEventListener("replaced", () => {
      this.close();
      this.#tell("trouble", REPLACED);
    });
    source.addEventListener("error", () => this.#failed());
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  async #failed() {
    // Our own tries: a browser gives up for good where an answer is not a stream.
    this.close();
    const wait = AGAIN_AFTER[Math.min(this.#tries++, AGAIN_AFTER.length - 1)];
    this.#timer = setTimeout(() => this.open(), wait);
    let trouble = LOST;
    try {
      const answer = await fetch("/", { headers: { Accept: "application/json" } });
      if (!answer.ok) trouble = await refusal(answer);
    } catch {
      // It does not answer: that is what LOST says.
    }
    if (this.#source?.readyState !== EventSource.OPEN) this.#tell("trouble", trouble);
  }

  #visibility() {
    clearTimeout(this.#rest);
    if (!document.hidden) {
      if (!this.#source) this.open();
    } else {
      this.#rest = setTimeout(() => this.wanted() || this.close(), REST_AFTER);
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
