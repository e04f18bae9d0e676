/** What was measured of the checkpoint that is heard, and the words that it misread. */

import { fillList, find, make, thousands, write } from "./dom.js";

const LEAD = 0.2; // seconds before a misread word, so that it is not cut

/** Show the scores of an item's checkpoint, or those of the recordings. */
export function showScores(voice, item) {
  const own = item?.network === voice?.network ? voice?.scores?.[item?.step] : null;
  const newest = Object.values(voice?.scores ?? {}).at(-1);
  const words = own?.words ?? (item?.recording && newest?.ceilings) ?? {};
  const rows = Object.entries(words).map(([name, text]) => [...voice.measures[name], text]);
  find("scores").hidden = !rows.length;
  const title = own ? `Scores of ${thousands(item.step)}: ${own.misread}` : "Scores of the recordings";
  write(find("scores-title"), title);
  fillList(find("scores-list"), rows, ([name, means, text]) =>
    make("div", { title: means }, make("dt", {}, name), make("dd", {}, text)),
  );
}

/** List the words that were misread; `play` is called with the second to play from. */
export function showMisreadings(misreadings, play) {
  const list = find("misread");
  list.hidden = !misreadings.length;
  fillList(list, misreadings, ({ words, seconds }) => {
    const button = make("button", { type: "button", title: "Play from here" }, words);
    button.addEventListener("click", () => play(Math.max(0, seconds - LEAD)));
    return make("li", {}, button);
  });
}
