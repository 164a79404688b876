// One title in words and numbers: the sentence, the scenes, the plan.

function lead(title, found) {
  const where = state.focus === null || title.scenes.length === 1 ? "this title" : `scene ${title.scenes[state.focus].scene}`;
  if (!found) {
    const some = state.focus === null && title.stops[modeOf(title)][state.stop].pairs.some(Boolean);
    return [`With ${kbps(budget())} kbps ${some ? "only some scenes have a pair that fits" : `nothing fits ${where}`}; move the slider up.`];
  }
  const audio = audioOf(title, state.stop);
  const parts = [
    `With ${kbps(budget())} kbps${modeOf(title) === "title" ? " on average" : " for every scene"}, ${where} gets `,
    element("strong", null, audio ? `${audioText(audio)} audio` : `${rate(found.audio)} of audio`),
    ` and ${rate(found.video)} of video: AVQ `,
    element("strong", null, mos(found.avq)),
    `. `,
  ];
  const ranked = title.scenes.filter((scene) => scene.relevance);
  if (state.focus === null && ranked.length > 1) {
    const by = [...ranked].sort((one, other) => other.relevance.audio_share - one.relevance.audio_share);
    const [most, least] = [by[0], by[by.length - 1]];
    parts.push(`Audio matters most in scene ${most.scene} (${percent(most.relevance.audio_share)} of the judgement), `
      + `least in scene ${least.scene} (${percent(least.relevance.audio_share)}).`);
  } else if (state.focus !== null && title.scenes[state.focus].relevance) {
    parts.push(`${percent(title.scenes[state.focus].relevance.audio_share)} of the judgement rests on its audio.`);
  }
  return parts;
}

function chosenRows(title, found) {
  if (!found) return [["AVQ", "nothing fits this budget"]];
  const rows = [];
  if (state.focus !== null) {
    const { surface, cheaper } = title.scenes[state.focus];
    const video = surface.video[found.v], audio = surface.audio[found.a];
    rows.push(["Video", `${video.codec} ${videoText(video)}${upscaled(title, video) ? " (strong upscaling, rated too high)" : ""}`]);
    rows.push(["Audio", audioText(audio) + outside(title, state.stop)]);
    rows.push(["Total", `${kbps(found.total)} of ${kbps(budget())} kbps`]);
    rows.push([`Cheapest within ${about.slight_loss_mos} MOS`, cheapest(cheaper[`${found.v},${found.a}`])]);
  } else {
    const used = new Map();
    title.stops[modeOf(title)][state.stop].pairs.forEach(([v], s) => {
      const video = title.scenes[s].surface.video[v];
      used.set(size(video), (used.get(size(video)) ?? 0) + duration(title.scenes[s]));
    });
    const sizes = [...used].sort((one, other) => other[1] - one[1]).map(([name, s]) => used.size > 1 ? `${name} ${percent(s / wholeOf(title))}` : name);
    const audio = audioOf(title, state.stop);
    const small = title.stops[modeOf(title)][state.stop].pairs.some(([v], s) => upscaled(title, title.scenes[s].surface.video[v]));
    rows.push(["Video", `${rate(found.video)} mean, ${sizes.join(", ")}${small ? " (strong upscaling, rated too high)" : ""}`]);
    rows.push(["Audio", (audio ? audioText(audio) : `${rate(found.audio)} mean, scene by scene`) + outside(title, state.stop)]);
    rows.push(["Total", `${kbps(found.total)} of ${kbps(budget())} kbps`]);
  }
  const avq = element("span", null, element("strong", null, mos(found.avq)), ` (90 %: ${range(interval(found.avq, title))})`);
  rows.splice(0, 0, ["AVQ", avq], ["VMAF", `${vmaf(found.vmaf)}, of the picture alone`]);
  if (found.price != null) {
    rows.push(["Price", `${(100 * found.price).toFixed(3)} MOS per 100 kbps, at the margin`]);
    rows.push([`+${about.extra_kbps} kbps`, found.gain < 0.005 ? "buys less than 0.005 MOS" : `buys ${signed(found.gain, 2)} MOS`]);
  } else {
    rows.push(["Price", "the title's: look at the whole title"]);
  }
  if (state.focus !== null) rows.push(["Relevance", element("span", null, ...components(title.scenes[state.focus].relevance))]);
  return rows;
}

// What is saved by giving up a little, and how likely people are to mind.
function cheapest(found) {
  if (!found) return "this pair";
  return `${kbps(found.kbps)} kbps: ${videoText(found.video)} + ${audioText(found.audio)}, AVQ ${mos(found.avq_mos)}. `
    + `People rate this pair higher by ${about.noticed_mos} or more with a probability of ${percent(found.probability)}.`;
}

// "64k from 130": the budgets at which the audio changes.
function audioSteps(title) {
  const steps = [];
  about.budgets_kbps.forEach((from, stop) => {
    const audio = audioOf(title, stop);
    const key = audio && audio.codec + audio.target;
    if (audio && (!steps.length || steps[steps.length - 1].key !== key)) steps.push({ key, from, text: audioText(audio) });
  });
  return steps;
}

// The steps around the budget; all of them would hide what matters where the measured rates are far apart.
const NEIGHBOURS = 3;

function showAudioSteps(title) {
  const steps = audioSteps(title), place = byId("audio-steps");
  if (!audioOf(title, state.stop)) {
    place.replaceChildren(outcome(title, state.stop) ? "Every scene has its own audio here; choose a scene to see when it changes." : "");
    return;
  }
  const current = steps.findLastIndex((step) => step.from <= budget());
  const first = Math.max(0, current - NEIGHBOURS), last = Math.min(steps.length, current + NEIGHBOURS + 1);
  place.replaceChildren("Audio over the budget: ", first > 0 ? "… " : "", ...steps.slice(first, last).map((step, i) => element(
    "span", { "aria-current": first + i === current ? "true" : null }, `${step.text} from ${kbps(step.from)}`,
  )), last < steps.length ? " …" : "");
}

function sceneCard(title, scene, s) {
  const name = `Scene ${scene.scene}`, parts = scene.relevance, pressed = state.focus === s;
  const picture = scene.thumbnail
    ? element("img", { class: "picture", src: scene.thumbnail, alt: "" })
    : element("span", { class: "picture tile", "aria-hidden": "true" }, String(scene.scene));
  const button = element("button", { type: "button", "aria-pressed": String(pressed), "aria-describedby": `tip-${s}` }, picture,
    element("span", { class: "when" }, `${name}, ${clock(scene.start_s)}–${clock(scene.end_s)}`));
  if (parts) {
    const audio = element("span", { class: "audio" });
    audio.style.width = `${100 * parts.audio_share}%`;
    button.append(
      element("span", { class: "shares" }, element("span", null, `audio ${percent(parts.audio_share)}`), " ", element("span", null, `video ${percent(1 - parts.audio_share)}`)),
      element("span", { class: "bar", "aria-hidden": "true" }, audio),
    );
  }
  button.append(element("span", { class: "plan" }));
  button.addEventListener("click", () => {
    state.focus = pressed && title.scenes.length > 1 ? null : s;
    remember();
    show();
    byId("scenes").querySelectorAll("button")[s].focus(); // the cards were made anew
  });
  return element("li", null, button, element("div", { class: "tip", id: `tip-${s}`, role: "tooltip" }, ...inShort(parts)));
}

const NO_RELEVANCE = "no pair fits the middling budget, so no relevance was estimated";

// Over a card, of which only the picture may be covered. Other measures are of one pair, and stand with the scene's numbers.
function inShort(parts) {
  if (!parts) return [NO_RELEVANCE];
  return [`${about.share_label} ${percent(parts.audio_share)}`, "Eq. 6 to 8: choose the scene"].map((text) => element("div", null, text));
}

function components(parts) {
  if (!parts) return [NO_RELEVANCE];
  const both = (name, of) => `${name} audio ${of.audio.toFixed(3)}, video ${of.video.toFixed(3)}; `;
  const at = `At the pair planned for ${kbps(about.relevance_budget_kbps)} kbps alone: `;
  return [
    element("div", null, `Of the scene: ${about.share_label} ${percent(parts.audio_share)}; ${percent(parts.ablation_audio_share)} by ablation.`),
    element("div", null, at + both("ablation (Eq. 6)", parts.ablation) + (parts.change_norm ? both("feature change (Eq. 7)", parts.change_norm) : "")
      + `audio's share by Eq. 8 ${percent(parts.eq8_audio_share)}.`),
  ];
}

// What gives the same on the command line.
function showCommand(title) {
  const quote = (word) => (/^[\w.,:=@%+/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const budgetWord = Number.isInteger(budget()) ? `${budget()}k` : `${budget() * 1000}`;
  const words = [...about.plan_command, "--budget", budgetWord, "--title", title.title];
  const alone = state.focus !== null && modeOf(title) === "scene" && title.scenes.length > 1;
  for (const scene of alone ? [title.scenes[state.focus].scene] : about.plan_scenes) words.push("--scene", String(scene));
  if (modeOf(title) === "title") words.push("--per", "title");
  byId("command").textContent = words.map(quote).join(" ");
}

function showPlans(title) {
  const pairs = title.stops[modeOf(title)][state.stop].pairs;
  byId("scenes").querySelectorAll(".plan").forEach((place, s) => {
    const pair = pairs[s], surface = title.scenes[s].surface;
    place.replaceChildren(...(pair
      ? [videoText(surface.video[pair[0]]), element("br"), `${audioText(surface.audio[pair[1]])}, AVQ ${mos(surface.avq_mos[pair[0]][pair[1]])}, VMAF ${vmaf(surface.video[pair[0]].vmaf)}`]
      : ["nothing fits"]));
  });
}

function showTitle(title) {
  const several = title.scenes.length > 1, whole = state.focus === null;
  byId("heading").textContent = title.title;
  byId("scenes").replaceChildren(...title.scenes.map((scene, s) => sceneCard(title, scene, s)));
  byId("scenes-note").hidden = !several;
  byId("jumps").hidden = !about.measured_only || audioSteps(title).length <= 2 * NEIGHBOURS + 1;
  byId("scenes-heading").textContent = several ? "Which scenes drive it" : "Its only scene";
  byId("ladder-heading").textContent = several ? "Ladder of the whole title" : "Ladder";
  byId("fronts-heading").textContent = several ? "Which size at which rate, over the whole title" : "Which size at which rate";
  byId("surface-heading").textContent = `The surface of ${!several ? "the title" : whole ? "the whole title" : `scene ${title.scenes[state.focus].scene}`}`;
  byId("chosen-heading").textContent = whole ? "The plan" : "The pair";
  byId("surface-caption").textContent = `Lines: the cheapest ${about.measured_only ? "measured " : ""}pairs that reach an AVQ. Dots: what was measured. Dashed: the budget pays for all that lies below. `
    + `◆ ${whole ? "the plan's mean rates (the lines are those of one rendition throughout)" : "the chosen pair"}; the line through it: the same at every budget.`
    + (several && !whole && modeOf(title) === "title" ? " The budget is the title's: a scene may spend more or less." : "");
  showShots(title);
  showFronts(title);
  showAudit(title);
}

function showTitleNumbers(title) {
  const found = outcome(title, state.stop);
  byId("lead").replaceChildren(...lead(title, found));
  byId("chosen").replaceChildren(...chosenRows(title, found).flatMap(([name, value]) => [element("dt", null, name), element("dd", null, value)]));
  showAudioSteps(title);
  showCommand(title);
  showPlans(title);
  showLadder(title);
}
