// Stores answers in this browser, until they are downloaded.
let keeps = true, unsaved = false, downloaded = false;

// What is stored names the response it was typed over: where the answers file has another one by now, that one counts.
function keep() {
  const items = {};
  for (const item of quiz.items) {
    const set = fieldsets.get(item.id);
    if (set) items[item.id] = {parts: partsOf(set), over: item.written};
  }
  try {
    localStorage.setItem(quiz.keep, JSON.stringify({items, hints: Object.fromEntries(opened)}));
  } catch {
    keeps = false;
  }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(quiz.keep)) || {};
  } catch (error) {
    if (!(error instanceof SyntaxError)) keeps = false;
    return {};
  }
}

const whereKept = () => downloaded ? `${quiz.file} is downloaded.`
  : keeps ? "Kept in this browser." : "This browser keeps nothing: download your answers before you leave.";
const todoOf = () => "";

function isDownloaded() {
  unsaved = false;
  downloaded = true;
  showState();
}

function changed() {
  unsaved = true;
  downloaded = false;
  keep();
  showState();
}

const before = kept();
for (const item of quiz.items) {
  const set = fieldsets.get(item.id);
  const found = before.items?.[item.id];
  if (set) fill(set, found && found.over === item.written ? found.parts : item.parts);
  const hints = before.hints?.[item.id];
  if (hints > (opened.get(item.id) || 0)) opened.set(item.id, hints);
}
showHints();
keep();
showState();

addEventListener("beforeunload", event => {
  if (unsaved && !keeps) event.preventDefault();
});
