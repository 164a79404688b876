// What every chart is given: all of it when the focus changes, and the little that the slider moves.

const surfaceOf = (title) => (state.focus === null ? title.surface : title.scenes[state.focus].surface);

function frameOf(surface) {
  const videos = surface.video.map((v) => v.kbps), audios = surface.audio.map((a) => a.kbps);
  return { x: [Math.min(...videos) / 1.15, Math.max(...videos) * 1.15], y: [Math.min(...audios) / 1.12, Math.max(...audios) * 1.18] };
}

function surfaceData(title) {
  const surface = surfaceOf(title), { x, y } = frameOf(surface);
  const iso = [];
  for (const line of surface.lines) {
    const corners = [[x[1], line.audio_kbps[0]]];
    // Between measured rates any video rate can be had: only the corners are exact, and are joined.
    if (about.measured_only) line.video_kbps.forEach((video, i) => corners.push([video, line.audio_kbps[i]], [video, line.audio_kbps[i + 1] ?? y[1]]));
    else corners.push(...line.video_kbps.map((video, i) => [video, line.audio_kbps[i]]), [line.video_kbps[line.video_kbps.length - 1], y[1]]);
    corners.push([x[1], y[1]]); // closes the area, and is no corner of the line; nor is the first, unless the line is a staircase
    corners.forEach(([video_kbps, audio_kbps], corner) => iso.push({ level: line.level, corner, closing: corner === corners.length - 1 || (corner === 0 && !about.measured_only), video_kbps, audio_kbps }));
  }
  const labels = surface.line_labels.map(([level, video_kbps]) => ({ level, video_kbps, audio_kbps: y[1] }));
  const probes = surface.video.flatMap((video, v) => (video.probes ? [] : surface.audio).map((audio, a) => ({
    video_kbps: video.kbps, audio_kbps: audio.kbps, pair: pairText(surface, v, a), total_kbps: total(video.kbps, audio.kbps), avq_mos: surface.avq_mos[v][a], vmaf: vmaf(video.vmaf),
  })));
  const path = about.budgets_kbps.flatMap((value, stop) => {
    const found = outcome(title, stop);
    return found ? [{ budget: value, video_kbps: found.video, audio_kbps: found.audio }] : [];
  });
  return { frame: [0, 1].map((i) => ({ video_kbps: x[i], audio_kbps: y[i] })), iso, iso_labels: labels, probes, path };
}

function budgetLine(surface) {
  const { x, y } = frameOf(surface), streams = budget() / (1 + about.overhead);
  const from = Math.max(x[0], streams - y[1]), to = Math.min(x[1], streams - y[0]), steps = 80;
  if (!(to > from)) return [];
  return Array.from({ length: steps + 1 }, (_, i) => {
    const video = from * Math.pow(to / from, i / steps);
    return { corner: i, video_kbps: video, audio_kbps: streams - video };
  });
}

function stopData(title) {
  const stops = [], split = [];
  about.budgets_kbps.forEach((value, stop) => {
    const found = outcome(title, stop);
    if (!found) return;
    const [low_mos, high_mos] = interval(found.avq, title);
    stops.push({ budget: value, avq_mos: found.avq, low_mos, high_mos, price: found.price == null ? null : 100 * found.price });
    ["audio", "video"].forEach((stream) => split.push({ budget: value, stream, kbps: found[stream], share: found[stream] / (found.audio + found.video) }));
  });
  return { stops, split };
}

// Names above the lines of the streams, away from the rule.
function splitLabels(title) {
  const known = about.budgets_kbps.map((_, stop) => stop).filter((stop) => outcome(title, stop));
  if (!known.length) return [];
  const place = known[Math.floor(known.length * (state.stop > known[Math.floor(known.length / 2)] ? 0.2 : 0.75))];
  const found = outcome(title, place), value = about.budgets_kbps[place];
  return ["audio", "video"].map((stream) => ({ stream, budget: value, kbps: found[stream] }));
}

// The rule at the slider's budget, where a chart from one rate to another holds it; its name stands on the roomier side.
function ruleWithin(low, high, more = {}) {
  const value = budget();
  return value >= low / 1.001 && value <= high * 1.001 ? [{ budget: value, late: value > Math.sqrt(low * high), ...more }] : [];
}

function ladderRows(title) {
  if (!title.ladder) return [];
  const { reference } = title.ladder;
  const most = Math.max(...[...title.ladder.rungs, ...(reference?.rungs ?? [])].map((rung) => rung.kbps)) * 1.3;
  const steps = (ladder, name, rungs) => rungs.map((rung, i) => ({
    ladder, name, rung: i + 1, kbps: rung.kbps, avq_mos: rung.avq_mos, vmaf: vmaf(rung.video.vmaf), audio_kbps: rung.audio.kbps, pair: `${videoText(rung.video)} + ${audioText(rung.audio)}`,
  })).concat(rungs.slice(-1).map((rung) => ({ ladder, name, rung: 0, kbps: most, avq_mos: rung.avq_mos, audio_kbps: rung.audio.kbps })));
  return steps("designed", "designed", title.ladder.rungs).concat(reference ? steps("reference", reference.name, reference.rungs) : []);
}

function frontData({ fronts }) {
  const codecs = new Set(fronts.sizes.map((front) => front.codec)).size;
  const name = (front) => (codecs > 1 ? `${front.codec} ` : "") + size(front);
  return {
    front_labels: fronts.sizes.map((front) => ({ size: name(front), video_kbps: front.probes[0][1], avq_mos: front.probes[0][2] })),
    fronts: fronts.sizes.flatMap((front) => front.curve.map(([video_kbps, avq_mos]) => ({ size: name(front), video_kbps, avq_mos }))),
    front_probes: fronts.sizes.flatMap((front) => front.probes.map(([target, video_kbps, avq_mos, score]) => ({ size: name(front), target, video_kbps, avq_mos, vmaf: vmaf(score) }))),
    crossovers: fronts.crossovers.map((crossover) => ({ video_kbps: crossover.kbps })),
  };
}

const views = {};

async function draw(name, data) {
  if (!(name in views)) {
    const drawing = { actions: false, renderer: "svg", ast: true, tooltip: { disableDefaultStyle: true }, logLevel: 1 };
    views[name] = window.drawChart(byId(`chart-${name}`), { ...specs[name], datasets: data }, drawing);
    await views[name];
    return;
  }
  const { view } = await views[name];
  for (const [dataset, rows] of Object.entries(data)) view.data(dataset, rows);
  await view.runAsync();
}

// What stands still while the slider moves.
function standing(title) {
  const { stops, split } = stopData(title), ladder = ladderRows(title);
  return { surface: surfaceData(title), quality: { stops }, split: { split }, ladder: { ladder }, audio_steps: { ladder }, fronts: frontData(title), ...shotData(title) };
}

// What the slider moves.
function moving(title) {
  const found = outcome(title, state.stop), surface = surfaceOf(title);
  const label = found && (state.focus === null ? "mean of the scenes" : pairText(surface, found.v, found.a));
  const known = about.budgets_kbps.filter((_, stop) => outcome(title, stop)), rungs = ladderRows(title).map((row) => row.kbps);
  const overBudget = known.length ? ruleWithin(known[0], known[known.length - 1], { avq_mos: found?.avq }) : [];
  const overLadder = rungs.length ? ruleWithin(Math.min(...rungs), Math.max(...rungs)) : [];
  return {
    surface: { budget_line: budgetLine(surface), chosen: found ? [{ video_kbps: found.video, audio_kbps: found.audio, avq_mos: found.avq, pair: label }] : [] },
    quality: { now: overBudget }, split: { now: overBudget, split_labels: splitLabels(title) }, ladder: { now: overLadder }, audio_steps: { now: overLadder },
  };
}

function drawAll(charts) {
  return Promise.all(Object.entries(charts).map(([name, data]) => draw(name, data)));
}

