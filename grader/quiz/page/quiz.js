"use strict";
// The questions of a quiz, what is chosen and typed, and the answers file to download. Where answers are stored is in the
// script behind this one, which defines changed(), isDownloaded(), whereKept() and todoOf(). The page holds no key.
const quiz = JSON.parse(document.getElementById("quiz").textContent);
const fieldsets = new Map([...document.querySelectorAll("fieldset")].map(set => [set.dataset.item, set]));
const state = document.getElementById("state");
const opened = new Map(Object.entries(quiz.hints));

const controls = set => [...set.querySelectorAll("[data-part]")];
const chooses = control => control.type === "radio" || control.type === "checkbox";

function partsOf(set) {
  const parts = {};
  for (const control of controls(set)) {
    const value = chooses(control) ? (control.checked ? control.value : "") : control.value.trim();
    if (value) parts[control.dataset.part] = value;
  }
  return parts;
}

function fill(set, parts) {
  for (const control of controls(set)) {
    const value = Object.hasOwn(parts, control.dataset.part) ? parts[control.dataset.part] : "";
    if (chooses(control)) control.checked = control.value === value;
    else control.value = value;
  }
}

// The response that the values of an item's controls make, or undefined; and what is still to do, if anything.
const responses = {
  one: parts => [parts.choice],
  text: parts => [parts.text],
  several: parts => [Object.keys(parts).sort().join(", ") || undefined],
  verdict: parts => parts.verdict && parts.reason ? [`${parts.verdict}, ${parts.reason}`]
    : [undefined, parts.verdict ? "Now choose a reason." : parts.reason ? "Now choose true or false." : ""],
  match: parts => [Object.entries(parts).map(([row, letter]) => row + letter).join(" ") || undefined],
  cloze: parts => [Object.keys(parts).length ? parts : undefined],
  order: (parts, set) => {
    const letters = controls(set).map(control => parts[control.dataset.part]);
    const chosen = letters.filter(Boolean);
    if (new Set(chosen).size < chosen.length) return [undefined, "Each part has one place: one is chosen twice."];
    return chosen.length === letters.length ? [letters.join(", ")]
      : [undefined, chosen.length ? "Choose a part for every place." : ""];
  },
};

const responseOf = set => responses[set.dataset.kind](partsOf(set), set);

const same = (one, other) => {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every(name => one[name] === other[name]);
};

// JSON is YAML once the characters that YAML forbids are escaped, and lone surrogates are replaced.
const escaped = text => "\\u" + text.charCodeAt(0).toString(16).padStart(4, "0");
const quoted = text => JSON.stringify(text.replace(/\p{Surrogate}/gu, "\uFFFD"))
  .replace(/[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g, escaped);
const yaml = value => typeof value === "string" ? quoted(value)
  : "{" + Object.entries(value).map(([name, part]) => `${quoted(name)}: ${quoted(part)}`).join(", ") + "}";

function answersFile() {
  const counts = [...opened].filter(([, count]) => count).sort(([one], [other]) => one < other ? -1 : 1);
  const hints = counts.map(([id, count]) => `${quoted(id)}: ${count}`).join(", ");
  const lines = [quiz.head, ...(hints ? [`hints: {${hints}}`] : []), "answers:"];
  for (const item of quiz.items) {
    const set = fieldsets.get(item.id);
    let written = item.written;
    if (set) {
      const parts = partsOf(set);
      if (!same(parts, item.parts)) {
        const [response] = responseOf(set);
        written = response === undefined ? "" : yaml(response);
      }
    }
    lines.push(written ? `${item.entry} ${written}` : item.entry);
  }
  return lines.join("\n") + "\n";
}

// Only a changed text is set: screen readers announce every text that is set.
const setText = (part, words) => { if (part.textContent !== words) part.textContent = words; };

function showState() {
  const open = [];
  fieldsets.forEach(set => {
    const [response, todo] = responseOf(set);
    if (response === undefined) open.push(set.dataset.number);
    set.classList.toggle("done", response !== undefined);
    setText(set.querySelector(".todo"), todo || todoOf(set));
    show(set);
  });
  const count = fieldsets.size - open.length;
  const few = open.length && count && open.length <= 5 ? `, not yet ${open.join(", ")}` : "";
  setText(state, `${count} of ${fieldsets.size} answered${few}. ` + whereKept());
}

// Printed, a field is its whole text: an input element would cut it off.
function show(set) {
  for (const control of controls(set)) {
    if (chooses(control)) continue;
    const chosen = control.value && control.selectedOptions?.[0].text;
    control.parentElement.dataset.shown = chosen || control.value;
  }
}

function showHints() {
  for (const [id, set] of fieldsets) {
    const count = opened.get(id) || 0;
    set.querySelectorAll(".hints p").forEach((hint, n) => { hint.hidden = n >= count; });
    set.querySelectorAll(".hints button").forEach((button, n) => { button.hidden = n !== count; });
  }
}

document.addEventListener("input", changed);
document.addEventListener("change", changed);
document.addEventListener("click", event => {
  const button = event.target.closest("[data-hint]");
  if (!button) return;
  const set = button.closest("fieldset");
  opened.set(set.dataset.item, Number(button.dataset.hint));
  showHints();
  changed();
  (set.querySelector(".hints button:not([hidden])") || set.querySelector("[data-part]")).focus();
});
document.getElementById("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([answersFile()], {type: "application/yaml"}));
  link.download = quiz.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  isDownloaded();
});
// The control in focus is never behind the bar, however many lines the bar has.
new ResizeObserver(([bar]) => {
  document.documentElement.style.scrollPaddingBottom = `${bar.target.offsetHeight + 16}px`;
}).observe(document.querySelector(".bottom"));
