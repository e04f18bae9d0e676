/** Small helpers for the document. Text from data only ever becomes text. */

export const find = (id) => document.getElementById(id);

/** Make an element with attributes; children are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Set a text, unless it stands there already: a screen reader would read it again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
  return element;
}

/** Fill a list with texts, unless they stand there already. */
export function fillList(list, texts, entry = (text) => make("li", {}, text)) {
  const wanted = JSON.stringify(texts);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...texts.map(entry));
}

/** Fill a select with `[value, text]`, keeping what is chosen where it is still there. */
export function fillSelect(select, options, chosen = select.value) {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  }
  const values = options.map(([value]) => value);
  const value = values.includes(chosen) ? chosen : (values[0] ?? "");
  if (select.value !== value) select.value = value;
}

/** Tell those who cannot see the page. */
export function announce(text) {
  find("news").textContent = text;
}

/** Say beside the player why a key did nothing; nothing where `words` are empty. */
export function hint(words) {
  write(find("hint"), words);
  if (words) announce(words);
}

/** Whether a list uses a key itself: to walk, or to go to an option that begins with it. */
export function usesKey(select, key) {
  if (key.length > 1 || key === " ") return true;
  const begins = (option) => option.text.toLowerCase().startsWith(key.toLowerCase());
  return [...select.options].some(begins);
}

export const thousands = (number) => number.toLocaleString("en");

/** Minutes and seconds: `0:03.4`. */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
