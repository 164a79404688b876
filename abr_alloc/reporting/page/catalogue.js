// The table of titles.

const sorting = { column: 0, descending: false };

const COLUMNS = [
  ["title", (title) => title.title, (value) => value],
  ["scenes", (title) => title.scenes.length, String],
  ["AVQ", (title) => title.stops[modeOf(title)][state.stop].avq_mos, mos],
  ["VMAF", (title) => title.stops[modeOf(title)][state.stop].vmaf, vmaf],
  ["audio", (title) => outcome(title, state.stop, modeOf(title), null)?.audio, rate],
  ["audio, share of rate", (title) => { const found = outcome(title, state.stop, modeOf(title), null); return found && found.audio / (found.audio + found.video); }, percent],
  ["+100 kbps", (title) => title.stops[modeOf(title)][state.stop].gain, (value) => signed(value, 2)],
  ["ladder: AVQ gained", (title) => title.ladder?.reference?.gain_mos, (value) => signed(value, 3)],
  ["ladder: BD-rate, AVQ", (title) => title.ladder?.reference?.bd_rate_percent, (value) => `${signed(value, 1)} %`],
  ["ladder: BD-rate, VMAF", (title) => title.ladder?.reference?.bd_rate_vmaf_percent, (value) => `${signed(value, 1)} %`],
];

function showCatalogue() {
  const wanted = byId("search").value.trim().toLowerCase();
  const [, value] = COLUMNS[sorting.column];
  const rows = titles.map((title, index) => ({ title, index, key: value(title) })).filter(({ title }) => title.title.toLowerCase().includes(wanted));
  const order = (one, other) => (typeof one === "string" ? one.localeCompare(other, undefined, { numeric: true }) : one - other);
  rows.sort((one, other) => {
    if (one.key == null || other.key == null) return (one.key == null) - (other.key == null); // what is not known comes last
    return sorting.descending ? order(other.key, one.key) : order(one.key, other.key);
  });
  byId("titles").tHead.rows[0].replaceChildren(...COLUMNS.map(([name], column) => {
    const sort = column === sorting.column ? (sorting.descending ? "descending" : "ascending") : null;
    const button = element("button", { type: "button" }, name);
    button.addEventListener("click", () => {
      sorting.descending = column === sorting.column ? !sorting.descending : column > 0;
      sorting.column = column;
      showCatalogue();
      byId("titles").tHead.rows[0].cells[column].firstChild.focus();
    });
    return element("th", { scope: "col", class: column ? null : "text", "aria-sort": sort }, button);
  }));
  byId("titles").tBodies[0].replaceChildren(...rows.map(({ title, index }) => element("tr", null, ...COLUMNS.map(([, of, format], column) => {
    const found = of(title);
    if (column === 0) return element("td", { class: "text" }, element("a", { href: `#t${index}`, "data-title": index }, title.title));
    return element("td", null, found == null ? "–" : format(found));
  }))));
  byId("found").textContent = wanted ? `${rows.length} of ${count(titles.length, "title")}` : count(titles.length, "title");
  const reference = titles.map((title) => title.ladder?.reference?.name).find(Boolean);
  byId("catalogue-note").textContent = `AVQ, VMAF, audio and +${about.extra_kbps} kbps are those of the plan at ${kbps(budget())} kbps. `
    + (reference ? `Ladders are held against ${reference}: expected AVQ gained, and BD-rate, the difference of rate at equal AVQ and at equal VMAF (negative is saved).` : "");
  byId("heading").textContent = count(titles.length, "title");
  const known = titles.map((title) => title.stops[modeOf(title)][state.stop].avq_mos).filter((avq) => avq !== null);
  byId("lead").textContent = known.length
    ? `With ${kbps(budget())} kbps${state.mode === "title" ? " on average" : " for every scene"}, ${known.length === titles.length ? "they" : `${known.length} of them`} get an AVQ of ${mos(Math.min(...known))} to ${mos(Math.max(...known))}.`
    : `With ${kbps(budget())} kbps nothing fits; move the slider up.`;
}

