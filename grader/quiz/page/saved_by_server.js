// Saves each change into the answers file, through the server that shows this page.
const TYPING_MS = 400, AGAIN_MS = 3000;
let timer = 0, running = null, failure = "", news = "", downloaded = false;
const download = document.getElementById("download"), grade = document.getElementById("grade");
const items = new Map(quiz.items.map(item => [item.id, item]));

// What differs from the answers file: responses to save, and questions that are answered in part, which no file can hold.
// A question with two answers waits for the student's choice.
function unsaved() {
  const changes = {}, half = [];
  for (const [id, set] of fieldsets) {
    const item = items.get(id), parts = partsOf(set);
    if (same(parts, item.parts) || item.other) continue;
    const [response] = responseOf(set);
    if (response === undefined && Object.keys(parts).length) half.push(set);
    else changes[id] = {over: item.written, response: response ?? null, parts};
  }
  const hints = {};
  for (const [id, count] of opened) if (count > (quiz.hints[id] || 0)) hints[id] = count;
  return {changes, hints, half, other: quiz.items.filter(item => item.other).length};
}

const isWaiting = ({changes, hints}) => Object.keys(changes).length > 0 || Object.keys(hints).length > 0;

async function post(action, body) {
  let reply;
  try {
    reply = await fetch(action, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
  } catch {
    throw new Error(`The command has ended. Start grade quiz ${quiz.id} --serve again, or download your answers.`);
  }
  if (!reply.ok) throw new Error(await reply.text());
  return reply.json();
}

// One after the other: each names what the file said after the one before.
function save() {
  clearTimeout(timer);
  running ??= saveOnce();
  return running;
}

async function saveOnce() {
  const {changes, hints} = unsaved();
  const sent = Object.entries(changes).map(([id, {over, response}]) => [id, {over, response}]);
  try {
    take(await post("save", {drawn: quiz.drawn, changes: Object.fromEntries(sent), hints}), changes);
    failure = "";
  } catch (error) {
    failure = error.message;
  }
  running = null;
  download.hidden = !failure;
  showState();
  if (failure || isWaiting(unsaved())) plan(failure ? AGAIN_MS : 0);
}

function plan(after) {
  clearTimeout(timer);
  timer = setTimeout(save, after);
}

// Take over what the file says: what was just saved, and what changed there meanwhile.
function take(reply, changes) {
  const elsewhere = [];
  for (const [id, set] of fieldsets) {
    const item = items.get(id), found = reply.items[id], isSent = Object.hasOwn(changes, id);
    item.problem = found.problem;
    if (isSent && !reply.conflicts.includes(id)) {
      item.parts = changes[id].parts;
    } else if (found.written !== item.written) {
      if (same(partsOf(set), item.parts)) {
        fill(set, found.parts);
        item.parts = partsOf(set);
        elsewhere.push(set.dataset.number);
      } else {
        item.other = found;
      }
    }
    item.written = found.written;
    showOther(set, item);
  }
  quiz.hints = reply.hints;
  grade.textContent = reply.button;
  for (const [id, count] of Object.entries(reply.hints)) if (count > (opened.get(id) || 0)) opened.set(id, count);
  if (elsewhere.length) news = `Changed in the file meanwhile, and shown here: ${elsewhere.join(", ")}. `;
  if (reply.backup) news = `The file is written anew; its earlier text is in ${reply.backup}. `;
  showHints();
}

function showOther(set, item) {
  const box = set.querySelector(".other");
  box.hidden = !item.other;
  if (item.other) setText(box.querySelector("p"), item.other.shown
    ? `The file has another answer by now: ${item.other.shown}` : "In the file this answer was removed meanwhile.");
}

const whereKept = () => {
  const waiting = unsaved();
  if (failure) return `${isWaiting(waiting) || waiting.other ? "Not saved. " : ""}${failure.trim()}${downloaded ? ` ${quiz.file} is downloaded.` : ""}`;
  if (waiting.other) return `${news}Not saved where you have to choose between two answers.`;
  if (running || isWaiting(waiting)) return `${news}Saving ...`;
  return `${news}Saved in ${quiz.path}.` + (waiting.half.length ? " Not what is answered in part." : "");
};
// What is wrong with an answer is said once it is written.
const todoOf = set => set.contains(document.activeElement) && document.activeElement.matches("input[type=text], textarea")
  ? "" : items.get(set.dataset.item).problem;

function changed(event) {
  news = "";
  downloaded = false;
  plan(event?.type === "input" && event.target.matches("input[type=text], textarea") ? TYPING_MS : 0);
  showState();
}

function isDownloaded() {
  downloaded = true;
  showState();
}

async function seeResult() {
  await running;
  await save();
  if (failure || isWaiting(unsaved())) return;
  try {
    const reply = await post("try", {});
    for (const [id, set] of fieldsets) set.querySelector(".result").innerHTML = reply.results[id];
    document.getElementById("summary").innerHTML = reply.summary;
    grade.textContent = reply.button;
    document.getElementById("summary").focus();
  } catch (error) {
    news = `${error.message.trim()} `;
  }
  showState();
}

for (const item of quiz.items) {
  const set = fieldsets.get(item.id);
  if (!set) continue;
  fill(set, item.parts);
  item.parts = partsOf(set);
  set.querySelector(".other").addEventListener("click", event => {
    if (!event.target.matches("button")) return;
    if (event.target.value === "file") fill(set, item.other.parts);
    item.parts = event.target.value === "file" ? partsOf(set) : item.other.parts;
    item.other = undefined;
    showOther(set, item);
    set.querySelector("[data-part]").focus();
    changed();
  });
}
grade.addEventListener("click", seeResult);
document.addEventListener("focusout", () => setTimeout(showState));
// What another page or an editor saved is seen on the way back, and what is typed is saved on the way out.
document.addEventListener("visibilitychange", save);
addEventListener("beforeunload", event => {
  const waiting = unsaved();
  if (running || isWaiting(waiting) || waiting.half.length || waiting.other) event.preventDefault();
});
showHints();
showState();
