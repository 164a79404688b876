// A ladder whose rungs give every scene its own parameters: what a rung spends and gives over time.

const ofScene = (words, s) => (words.length === 1 ? words[0] : words[s]);
// Until somebody chooses: what a player takes with the budget that the page opens at.
const chosenShots = (shots) => shots.rungs.find((own) => own.rung === state.rung) ?? shots.rungs.findLast((own) => own.total_kbps <= about.budgets_kbps[about.start]) ?? shots.rungs[0];
// A single scene has nothing to spread its rate over.
const shotsOf = ({ shots }) => (shots?.start_s.length > 1 ? shots : null);
const endOf = (shots, s) => shots.start_s[s + 1] ?? shots.end_s;
const sum = (values) => values.reduce((one, other) => one + other, 0);

// A number per scene as steps; the last lasts to the title's end.
function stepsOf(shots, own, role, name) {
  const at = (at_s, s) => ({ role, rung: name, width: shots.start_s.length > 150 ? 1.3 : 2.2, at_ms: 1000 * at_s, kbps: own.kbps[s], avq_mos: own.avq_mos[s] });
  return [...shots.start_s.map((start, s) => at(start, s)), at(shots.end_s, shots.start_s.length - 1)];
}

function meanOf(shots, values) {
  return sum(values.map((value, s) => value * (endOf(shots, s) - shots.start_s[s]))) / (shots.end_s - shots.start_s[0]);
}

function shotData(title) {
  const shots = shotsOf(title);
  if (!shots) return null;
  const chosen = chosenShots(shots), last = shots.start_s.length - 1;
  const lines = shots.rungs.flatMap((own) => stepsOf(shots, own, own === chosen ? "chosen" : "other", String(own.rung)));
  if (chosen.plain) lines.push(...stepsOf(shots, chosen.plain, "plain", "plain"));
  const spans = shots.start_s.map((at_s, s) => ({
    at_ms: 1000 * at_s, end_ms: 1000 * endOf(shots, s), scene: String(s), time: `${clock(at_s)}–${clock(endOf(shots, s))}`, asked: `${ofScene(chosen.asked, s)} at ${ofScene(chosen.sizes, s)}`,
    kbps: chosen.kbps[s], avq_mos: chosen.avq_mos[s], vmaf: vmaf(chosen.vmaf[s]),
  }));
  const names = (field, gap) => {
    const placed = [];
    const order = [chosen, ...shots.rungs.filter((own) => own !== chosen)];
    for (const own of order) {
      const value = own[field][last];
      if (placed.every((other) => gap(value, other[field]) > 1)) placed.push({ rung: String(own.rung), chosen: own === chosen, at_ms: 1000 * shots.end_s, [field]: value });
    }
    return placed;
  };
  const range_mos = shots.rungs.flatMap((own) => own.avq_mos), span = Math.max(...range_mos) - Math.min(...range_mos) || 1;
  const rates = shots.rungs.flatMap((own) => own.kbps), decades = Math.log(Math.max(...rates) / Math.min(...rates)) || 1;
  const common = { shots: lines, shot_spans: spans };
  return {
    shot_kbps: { ...common, shot_means: [{ kbps: meanOf(shots, chosen.kbps) }], shot_names: names("kbps", (one, other) => Math.abs(Math.log(one / other)) / decades * 18) },
    shot_avq: { ...common, shot_means: [{ avq_mos: meanOf(shots, chosen.avq_mos) }], shot_names: names("avq_mos", (one, other) => Math.abs(one - other) / span * 15) },
  };
}

function shotText(title, shots, own) {
  const rung = title.ladder.rungs[own.rung - 1], worst = own.avq_mos.indexOf(Math.min(...own.avq_mos));
  const said = [`Rung ${own.rung}, ${videoText(rung.video)} + ${audioText(rung.audio)}: scenes take ${rate(Math.min(...own.kbps))} to ${rate(Math.max(...own.kbps))} of video, ${rate(meanOf(shots, own.kbps))} on average, and have AVQ ${mos(Math.min(...own.avq_mos))} to ${mos(Math.max(...own.avq_mos))}; the worst begins at ${clock(shots.start_s[worst])}.`];
  if (own.sizes.length > 1) {
    const sizes = [...new Set(own.sizes)].map((name) => `${name} in ${count(own.sizes.filter((one) => one === name).length, "scene")}`);
    said.push(`Its scenes differ in size: ${sizes.join(", ")}.`);
  }
  const { proof, plain } = own;
  if (plain) {
    said.push(`One target for the whole title, ${plain.target}, comes to ${rate(meanOf(shots, plain.kbps))} on average: AVQ ${mos(meanOf(shots, plain.avq_mos))} instead of ${mos(meanOf(shots, own.avq_mos))}, the worst scene ${mos(Math.min(...plain.avq_mos))} instead of ${mos(own.avq_mos[worst])}.`);
  }
  if (proof) {
    said.push(`${proof.gap_mos < 0.0005 ? "No other split of this rate over the scenes pools higher" : `No other split of this rate over the scenes pools higher by more than ${proof.gap_mos.toFixed(3)} MOS`} (${proof.pool} over time).`);
    if (proof.price > 0) said.push(`Another 100 kbps would bring ${100 * proof.price < 0.001 ? "less than 0.001" : (100 * proof.price).toFixed(3)} MOS.`);
    if (proof.peak_kbps != null) said.push(`Over six seconds, its video takes at most ${rate(proof.peak_kbps)} as predicted.`);
  }
  return said.join(" ");
}

function shotTable(shots, own) {
  const head = ["scene", "time", "asked for", "size", "video kbps", "AVQ", "VMAF"], texts = ["time", "asked for", "size"];
  const rows = shots.start_s.map((start, s) => [String(s), `${clock(start)}–${clock(endOf(shots, s))}`, ofScene(own.asked, s), ofScene(own.sizes, s), kbps(own.kbps[s]), mos(own.avq_mos[s]), vmaf(own.vmaf[s])]);
  const of = (name) => ({ class: texts.includes(name) ? "text" : null });
  return element("table", null, element("thead", null, element("tr", null, ...head.map((name) => element("th", { scope: "col", ...of(name) }, name)))),
    element("tbody", null, ...rows.map((cells) => element("tr", null, ...cells.map((cell, c) => element("td", of(head[c]), cell))))));
}

function showShots(title) {
  const shots = shotsOf(title);
  byId("shots").hidden = !shots;
  if (!shots) return;
  const own = chosenShots(shots);
  byId("shot-rung").replaceChildren(...shots.rungs.map(({ rung }) => {
    const { video, audio } = title.ladder.rungs[rung - 1];
    return element("option", { value: String(rung), selected: rung === own.rung ? "" : null }, `${rung}: ${videoText(video)} + ${audioText(audio)}`);
  }));
  byId("shot-text").textContent = shotText(title, shots, own);
  byId("shot-caption").textContent = `Thick: this rung; dotted: its mean; thin, with their numbers: the other rungs.${own.plain ? ` Dashed: one target for the whole title, ${own.plain.target} at nearly the same mean rate.` : ""}`;
  byId("shot-table").replaceChildren(shotTable(shots, own));
}

function chooseRung(value) {
  state.rung = Number(value);
  showShots(current());
  return drawAll(shotData(current()));
}
