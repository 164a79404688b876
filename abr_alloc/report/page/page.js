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
  showTrust(all ? null : current());
  if (all) return showNumbers();
  showTitle(current());
  showNumbers();
  const moved = moving(current());
  const charts = Object.entries(standing(current()));
  return drawAll(Object.fromEntries(charts.map(([name, data]) => [name, { ...data, ...moved[name] }])));
}

// #t3 is the fourth title; anything else is the catalogue.
function follow() {
  const index = Number(/^#t(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  const title = catalogue ? (index in titles ? index : null) : 0;
  state.title = title;
  state.focus = title !== null && titles[title].scenes.length === 1 ? 0 : null;
  window.scrollTo(0, 0);
  return show();
}

byId("budget").max = about.budgets_kbps.length - 1;
byId("budget").addEventListener("input", (event) => {
  state.stop = Number(event.target.value);
  showStop();
});
byId("mode").addEventListener("change", (event) => {
  state.mode = event.target.value;
  show();
});
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("input", showCatalogue);
window.addEventListener("hashchange", follow);
byId("footer").textContent = `abr_alloc ${about.version}. AVQ: predicted MOS, 1–5. Totals include ${percent(about.overhead)} container overhead.`;
follow();
