// The ladder's tables, the sizes, and how far to trust it all.

// Money in as many decimals as a total needs for four digits.
const money = (value, total) => value.toFixed(total > 0 ? Math.min(Math.max(3 - Math.floor(Math.log10(total)), 0), 20) : 0);
const totalOf = (cost) => cost.parts[0] + cost.parts[1];
const costText = (cost) => `${money(totalOf(cost), totalOf(cost))} (storage ${money(cost.parts[0], totalOf(cost))}, delivery ${money(cost.parts[1], totalOf(cost))})`;

function ladderTable(title, caption, rungs, current, cost) {
  const head = ["rung", "video", "audio", "kbps", "AVQ", "90 %", "VMAF", "preferred", "played", ...(cost ? ["storage", "delivery"] : []), "note"];
  const body = rungs.map((rung, i) => element("tr", { "aria-current": i === current ? "true" : null },
    element("td", null, String(i + 1)), element("td", { class: "text" }, videoText(rung.video)), element("td", { class: "text" }, audioText(rung.audio)),
    element("td", null, kbps(rung.kbps)), element("td", null, mos(rung.avq_mos)), element("td", null, range(rung.interval_mos)),
    element("td", null, vmaf(rung.video.vmaf)), element("td", null, rung.preference_over_below == null ? "–" : percent(rung.preference_over_below)),
    element("td", null, `${(100 * rung.played_share).toFixed(1)} %`),
    ...(cost ? cost.rungs[i].map((part) => element("td", null, money(part, totalOf(cost)))) : []),
    element("td", { class: "text wrap" }, [rung.video.probes ? `between ${rung.video.probes.join(" and ")}` : "", rung.note, upscaled(title, rung.video) ? "strong upscaling" : ""].filter(Boolean).join("; "))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element("table", null, element("caption", null, caption),
    element("thead", null, element("tr", null, ...head.map((name, i) => element("th", { scope: "col", class: [1, 2, head.length - 1].includes(i) ? "text" : null }, name)))),
    element("tbody", null, ...body)));
}

const bdRate = (percent) => (percent == null ? "not comparable" : `${signed(percent, 1)} %`);

function showLadder(title) {
  const { ladder } = title;
  byId("ladder-parts").hidden = byId("ladder-note").hidden = !ladder;
  if (!ladder) {
    byId("ladder-text").textContent = title.ladder_problem || "No ladder was given.";
    return;
  }
  const { reference } = ladder, doubts = [];
  const said = [`${count(ladder.rungs.length, "rung")} for the audience ${ladder.network}${ladder.shared ? `, shared by ${ladder.shared}` : ""}: expected AVQ ${ladder.expected_avq_mos.toFixed(3)}, ${(100 * ladder.unreached_share).toFixed(1)} % of it below the lowest rung.`];
  if (reference) {
    said.push(`${reference.name} is expected to give ${reference.expected_avq_mos.toFixed(3)}: the designed ladder differs by ${signed(reference.gain_mos, 3)} MOS`
      + `. Rate at equal AVQ (BD-rate): ${bdRate(reference.bd_rate_percent)}; at equal VMAF: ${bdRate(reference.bd_rate_vmaf_percent)}.`);
    if (reference.scores_disagree) said.push(reference.bd_rate_percent < 0 ? "It gains in AVQ and loses in VMAF." : "It gains in VMAF and loses in AVQ.");
    if (reference.rungs_needed !== null) said.push(`${count(reference.rungs_needed, "rung")} would do as well as it.`);
    doubts.push("Expected AVQ is a mean over the audience.");
    if (reference.breaks_rules) doubts.push(`${reference.name} breaks a rule that the designed ladder keeps.`);
  }
  if (ladder.cost) {
    said.push(`It costs ${costText(ladder.cost)}${reference?.cost ? `; ${reference.name} ${costText(reference.cost)}` : ""}, for ${Math.round(ladder.cost.duration_s)} s of title.`);
  }
  if (ladder.rungs.some((rung) => upscaled(title, rung.video))) {
    doubts.push("Some of its sizes are shown at more than twice their height. Such strong upscaling is rated too high, so AVQ, and what the ladder gains and saves, are too high by an unknown amount.");
  }
  byId("ladder-text").textContent = said.join(" ");
  byId("ladder-note").textContent = doubts.join(" ");
  byId("ladder-caption").textContent = `● solid: designed${reference ? `; □ dashed: ${reference.name}` : ""}. What a player with a bandwidth gets; the rule is the slider's.`;
  const playing = (rungs) => rungs.findLastIndex((rung) => rung.kbps <= budget());
  const tables = [ladderTable(title, "Designed", ladder.rungs, playing(ladder.rungs), ladder.cost)];
  if (reference) {
    tables.push(ladderTable(title, reference.name, reference.rungs, playing(reference.rungs), reference.cost));
    if (reference.left_out.length) tables.push(element("p", { class: "note" }, leftOut(reference.left_out)));
  }
  byId("ladder-tables").replaceChildren(...tables, element("p", { class: "note" },
    `▶ the rung that a player with ${kbps(budget())} kbps takes. preferred: probability that people rate it higher than the rung below by ${about.noticed_mos} or more. played: share of the audience that takes it.${ladder.cost ? " storage: money for the renditions that no rung below has already; delivery: for sending it, over all views." : ""} ~: a rate between two probes, where AVQ and VMAF are interpolated.`));
}

// One reason, then its rungs: "768x432 730k: larger than the source" comes as often as there are rungs.
function leftOut(rungs) {
  const byReason = new Map();
  for (const text of rungs) {
    const [rung, reason] = text.split(/: (.*)/);
    byReason.set(reason, [...(byReason.get(reason) ?? []), rung]);
  }
  return [...byReason].map(([reason, names]) => `Left out, ${reason}: ${names.join(", ")}.`).join(" ");
}

function showFronts(title) {
  const { fronts } = title;
  const changes = fronts.crossovers.map((c) => `${c.below_px.join("x")} → ${c.above_px.join("x")} at ${rate(c.kbps)}`);
  byId("fronts-caption").textContent = `AVQ over the video rate with ${audioText(fronts.audio)} audio; marks are measured encodes, lines are interpolated. `
    + (changes.length ? `Where the best size changes (dotted): ${changes.join("; ")}.` : "One size is best throughout.")
    + (title.surface.video.some((video) => upscaled(title, video)) ? " Sizes that are shown at more than twice their height are rated too high, so small sizes stay ahead for longer here than people would say." : "");
}

function made(name, value) {
  const names = { video_codecs: "video in", audio_codecs: "audio in", audio_kbps: "audio of", fps: "frame rates of", max_height_px: "up to" };
  const units = { audio_kbps: " kbps", fps: " fps", max_height_px: " lines" };
  return `${names[name] ?? name} ${[value].flat().join(name.endsWith("codecs") ? ", " : "–")}${units[name] ?? ""}`;
}

function showTrust(title) {
  const { model, table } = about;
  const told = [...about.warnings, ...(title ? title.warnings : [])];
  if (title?.trained_on) told.push("The model was trained on this title: its AVQ says nothing about how well it does on new ones.");
  byId("warnings").replaceChildren(...told.map((text) => element("li", null, text)));
  const held = model.held_out, rows = [
    ["Model", `${model.name} (system ${model.system}), trained on ${model.labels}${model.contents ? ` over ${count(model.contents, "content")}` : ""}`],
    [model.human_labels ? "Agreement with people" : "Agreement with labels", held.plcc === undefined ? "not stated on its card"
      : `PLCC ${held.plcc}, SRCC ${held.srcc}, RMSE ${held.rmse} on ${model.scale.join("–")}, on contents left out`
        + (model.human_labels ? "" : ". The labels are a formula's, not people's: how that agrees with people is in the documentation (Evaluation)")],
    ["Interval", `estimated 90 % interval of a panel's mean rating: AVQ ${model.interval_mos.map((value) => signed(value, 2)).join(" … ")}`
      + (model.coverage.ratings ? `; it held ${percent(model.coverage.ratings)} of ${model.human_labels ? "the mean ratings" : "the labels"} on contents left out` : "")
      + ". No interval covers material unlike what the model was made for"],
    ["Differences", `a panel's difference of two pairs is the predicted one ± ${model.difference_mos.toFixed(2)} in 90 % of cases; probabilities of preference rest on that`],
    ["Relevance", "the model's own account of what its AVQ rests on; that people weigh audio and video so is thinly proven"],
    ["Made for", Object.entries(model.validity).map(([name, value]) => made(name, value)).join("; ") || "not stated on its card"],
    ["Features", Object.entries(table).filter(([, value]) => value).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join("; ")],
    ["Weights", `SHA-256 ${model.weights_sha256.slice(0, 16)}…`],
  ];
  const credits = title ? [title.title] : [];
  for (const name of credits) if (about.credits[name]) rows.push(["Credit", about.credits[name]]);
  byId("trust").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", null, name), element("dd", null, value)]));
}

