// What is shown when.

const current = () => titles[state.title];

// The numbers at the slider's stop.
function showNumbers() {
  byId("budget-text").textContent = `${kbps(budget())} kbps`;
  byId("budget").value = state.stop;
  byId("budget").setAttribute("aria-valuetext", `${kbps(budget())} kbps`);
  if (state.title === null) showCatalogue();
  else showTitleNumbers(current());
}

function showStop() {
  showNumbers();
  return state.title === null ? undefined : drawAll(moving(current()));
}

// Everything, after another title, focus or mode was chosen.
function show() {
  const all = state.title === null;
  byId("catalogue").hidden = !all;
  byId("title").hidden = all;
  byId("back").hidden = !catalogue || all;
  byId("mode").hidden = !all && current().scenes.length === 1;
  document.querySelector(`input[name="mode"][value="${state.mode}"]`).checked = true;
  showTrust(all ? null : current());
  if (!all) showTitle(current());
  showNumbers();
  document.title = `${byId("heading").textContent} – abr-alloc report`;
  if (all) return undefined;
  const moved = moving(current());
  const charts = Object.entries(standing(current()));
  return drawAll(Object.fromEntries(charts.map(([name, data]) => [name, { ...data, ...moved[name] }])));
}

// The address says what is looked at, so that it can be passed on: #t3&b=300&m=scene&s=2 is the fourth title at 300 kbps
// for every scene, its third scene chosen. Without a title it is the catalogue.
function address() {
  const words = [`b=${budget()}`, `m=${state.mode}`];
  if (state.title !== null) words.unshift(`t${state.title}`);
  if (state.focus !== null && current().scenes.length > 1) words.push(`s=${state.focus}`);
  return `#${words.join("&")}`;
}

const remember = () => history.replaceState(null, "", address());

function follow() {
  const words = location.hash.slice(1).split("&");
  const given = Object.fromEntries(words.map((word) => word.split("=")));
  const index = Number(/^t(\d+)$/.exec(words[0])?.[1] ?? NaN);
  const before = state.title;
  state.title = catalogue ? (index in titles ? index : null) : 0;
  if (given.m === "scene" || given.m === "title") state.mode = given.m;
  const stop = about.budgets_kbps.indexOf(Number(given.b));
  if (stop >= 0) state.stop = stop;
  const scenes = state.title === null ? [] : current().scenes;
  state.focus = scenes.length === 1 ? 0 : Number(given.s ?? NaN) in scenes ? Number(given.s) : null;
  const shown = show();
  if (before !== state.title) arrive(before);
  return shown;
}

// On another view: at its top, or at the link that was followed, for eyes and for a screen reader.
let listed = 0;

function arrive(before) {
  const link = state.title === null && byId("titles").querySelector(`a[data-title="${before}"]`);
  (link || byId("heading")).focus({ preventScroll: true });
  window.scrollTo(0, link ? listed : 0);
  remember();
}

byId("budget").max = about.budgets_kbps.length - 1;
byId("budget").addEventListener("input", (event) => {
  state.stop = Number(event.target.value);
  remember();
  showStop();
});
byId("mode").addEventListener("change", (event) => {
  state.mode = event.target.value;
  remember();
  show();
});
byId("shot-rung").addEventListener("change", (event) => chooseRung(event.target.value));
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("titles").addEventListener("click", () => { listed = window.scrollY; });
// What hovering or focus shows can be sent away, until the next scene.
byId("scenes").addEventListener("keydown", (event) => byId("scenes").classList.toggle("quiet", event.key === "Escape"));
for (const name of ["focusin", "mouseover"]) byId("scenes").addEventListener(name, () => byId("scenes").classList.remove("quiet"));
byId("search").addEventListener("input", showCatalogue);
window.addEventListener("hashchange", follow);
byId("footer").textContent = `abr_alloc ${about.version}. AVQ: predicted MOS, 1–5. Totals include ${percent(about.overhead)} container overhead.`;
follow();
