// The ladder's tables, the sizes, and how far to trust it all.

function ladderTable(caption, rungs, current) {
  const head = ["rung", "video", "audio", "kbps", "AVQ", "90 %", "played", "note"];
  const body = rungs.map((rung, i) => element("tr", { "aria-current": i === current ? "true" : null },
    element("td", null, String(i + 1)), element("td", { class: "text" }, videoText(rung.video)), element("td", { class: "text" }, audioText(rung.audio)),
    element("td", null, kbps(rung.kbps)), element("td", null, mos(rung.avq_mos)), element("td", null, range(rung.interval_mos)),
    element("td", null, `${(100 * rung.played_share).toFixed(1)} %`),
    element("td", { class: "text wrap" }, [rung.video.probes ? `between ${rung.video.probes.join(" and ")}` : "", rung.note].filter(Boolean).join("; "))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element("table", null, element("caption", null, caption),
    element("thead", null, element("tr", null, ...head.map((name, i) => element("th", { scope: "col", class: [1, 2, 7].includes(i) ? "text" : null }, name)))),
    element("tbody", null, ...body)));
}

function showLadder(title) {
  const { ladder } = title;
  byId("ladder-parts").hidden = !ladder;
  if (!ladder) {
    byId("ladder-text").textContent = title.ladder_problem || "No ladder was given.";
    return;
  }
  const { reference } = ladder;
  const said = [`${count(ladder.rungs.length, "rung")} for the audience ${ladder.network}${ladder.shared ? `, shared by ${ladder.shared}` : ""}: expected AVQ ${ladder.expected_avq_mos.toFixed(3)}.`];
  if (reference) {
    said.push(`${reference.name} is expected to give ${reference.expected_avq_mos.toFixed(3)}: the designed ladder differs by ${signed(reference.gain_mos, 3)} MOS`
      + (reference.bd_rate_percent === null ? "." : ` and by ${signed(reference.bd_rate_percent, 1)} % rate at equal AVQ (BD-rate).`));
    if (reference.breaks_rules) said.push(`${reference.name} breaks a rule that the designed ladder keeps.`);
  }
  byId("ladder-text").textContent = said.join(" ");
  byId("ladder-caption").textContent = `● solid: designed${reference ? `; □ dashed: ${reference.name}` : ""}. What a player with a bandwidth gets; the rule is the slider's.`;
  const playing = (rungs) => rungs.findLastIndex((rung) => rung.kbps <= budget());
  const tables = [ladderTable("Designed", ladder.rungs, playing(ladder.rungs))];
  if (reference) {
    tables.push(ladderTable(reference.name, reference.rungs, playing(reference.rungs)));
    if (reference.left_out.length) tables.push(element("p", { class: "note" }, `Left out: ${reference.left_out.join("; ")}.`));
  }
  byId("ladder-tables").replaceChildren(...tables, element("p", { class: "note" },
    `▶ the rung that a player with ${kbps(budget())} kbps takes. played: share of the audience that takes it. ~: a rate between two probes, where AVQ is interpolated.`));
}

function showFronts(title) {
  const { fronts } = title;
  const changes = fronts.crossovers.map((c) => `${c.below_px.join("x")} → ${c.above_px.join("x")} at ${rate(c.kbps)}`);
  byId("fronts-caption").textContent = `AVQ over the video rate with ${audioText(title.surface.audio[fronts.audio])} audio; marks are measured encodes, lines are interpolated. `
    + (changes.length ? `Where the best size changes (dotted): ${changes.join("; ")}.` : "One size is best throughout.");
}

function showTrust(title) {
  const { model, table } = about;
  const told = [...about.warnings, ...(title ? title.warnings : [])];
  byId("warnings").replaceChildren(...told.map((text) => element("li", null, text)));
  const held = model.held_out, rows = [
    ["Model", `${model.name} (system ${model.system}), trained on ${model.labels}${model.contents ? ` over ${count(model.contents, "content")}` : ""}`],
    ["Held-out contents", held.plcc === undefined ? "not stated on its card" : `PLCC ${held.plcc}, SRCC ${held.srcc}, RMSE ${held.rmse} on ${model.scale.join("–")}, against its labels`],
    ["Interval", `90 % of ratings of a panel lie within ${model.interval_mos.map((value) => signed(value, 2)).join(" … ")} of AVQ`
      + (model.coverage.ratings ? ` (measured: ${percent(model.coverage.ratings)})` : "")],
    ["As good", `pairs whose AVQ differs by up to ${model.difference_mos.toFixed(2)}: a panel could not tell them apart`],
    ["Made for", Object.entries(model.validity).map(([name, value]) => `${name.replaceAll("_", " ")} ${[value].flat().join(name.endsWith("codecs") ? ", " : "–")}`).join("; ") || "not stated on its card"],
    ["Features", Object.entries(table).filter(([, value]) => value).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`).join("; ")],
    ["Weights", `SHA-256 ${model.weights_sha256.slice(0, 16)}…`],
  ];
  const credits = title ? [title.title] : [];
  for (const name of credits) if (about.credits[name]) rows.push(["Credit", about.credits[name]]);
  byId("trust").replaceChildren(...rows.flatMap(([name, value]) => [element("dt", null, name), element("dd", null, value)]));
}

