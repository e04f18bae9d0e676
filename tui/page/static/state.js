/** The one line of a run: what it does, where it is, what it costs, and when it ends. */

import { announce, fillList, find, thousands, write } from "./dom.js";

/** Show the state of a voice. */
export function showState(voice) {
  write(find("line"), stateLine(voice)).title = voice.folder ?? "";
  const progress = find("progress");
  const share = voice.progress_to_stop ?? null;
  progress.hidden = share === null || !voice.running;
  if (share !== null) progress.value = share;
  const alarm = voice.alarm || (voice.running ? "" : voice.ended);
  write(find("alarm"), alarm);
  find("alarm").hidden = !alarm;
  tellChange(voice.name, voice.running ? voice.phase_words : "", alarm);
  write(find("event"), eventLine(voice.events?.at(-1)));
  showAdvice(voice);
  find("state").dataset.phase = voice.running ? voice.phase : "none";
  const step = voice.step === undefined ? "" : `${thousands(voice.step)} · `;
  document.title = `${step}${voice.name} · voicecoach`;
}

/** Whether it pays to go on, with the reasons behind it, and which checkpoint to export. */
function showAdvice({ advice, recommended, lacking }) {
  find("advice").hidden = !advice;
  write(find("advice-text"), advice?.text ?? "");
  fillList(find("advice-reasons"), advice?.reasons ?? []);
  find("lacking").hidden = !lacking;
  write(find("lacking"), lacking ?? "");
  find("recommended").hidden = !recommended;
  write(find("recommended"), recommended?.text ?? "").title = recommended?.command ?? "";
}

let told = "";

/** Tell a screen reader that a run pauses, stops, ends or is in trouble; not every step. */
function tellChange(...words) {
  const now = words.filter(Boolean).join(": ");
  if (told && now !== told) announce(now);
  told = now;
}

function stateLine(voice) {
  if (voice.step === undefined) return voice.name;
  const parts = [
    voice.name,
    voice.network_text,
    // Below stands why it ended, if that is known.
    voice.running ? voice.phase_words : voice.ended ? "" : "not being trained",
    `step ${voice.step_text}`,
    `loss ${voice.loss_text}`,
    voice.held_out == null ? "" : `held-out ${voice.held_out_text}`,
  ];
  if (voice.running) parts.push(voice.speed_text);
  if (voice.spent) parts.push(`spent ${voice.spent}`);
  if (voice.running && voice.stop) parts.push(`stop ${voice.stop}`);
  return parts.filter(Boolean).join(" · ");
}

/** What happened last. */
function eventLine(event) {
  if (!event) return "";
  const time = new Date(1000 * event.time).toLocaleTimeString([], { timeStyle: "short" });
  return `${time} ${event.text}`;
}
