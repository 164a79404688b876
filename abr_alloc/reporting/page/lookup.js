// The page looks up what was solved when it was made; it decides nothing. A stop is a budget of the slider, a mode says
// whether that budget is the title's mean or every scene's own, a focus is one scene or, when null, the whole title.
const byId = (id) => document.getElementById(id);
const about = JSON.parse(byId("about").textContent);
const specs = JSON.parse(byId("specs").textContent);
const titles = [...document.querySelectorAll("script.title")].map((element) => JSON.parse(element.textContent));
const catalogue = titles.length > 1;
const state = { title: catalogue ? null : 0, focus: null, mode: "title", stop: about.start, rung: null };
// The two modes plan a title of one scene alike.
const modeOf = (title) => (title.scenes.length === 1 ? "title" : state.mode);

// Text only ever enters the page as text.
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) if (value != null) made.setAttribute(key, value);
  made.append(...children.filter((child) => child != null));
  return made;
}

const budget = () => about.budgets_kbps[state.stop];
const kbps = (value) => (value < 10 ? value.toFixed(1) : Math.round(value).toString());
const rate = (value) => `${kbps(value)}k`;
const mos = (value) => value.toFixed(2);
const vmaf = (value) => (value == null ? "–" : value.toFixed(0));
const signed = (value, digits) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const clock = (s) => `${Math.floor(s / 60)}:${(s % 60).toFixed(1).padStart(4, "0")}`;
const limit = (value) => Math.min(Math.max(value, 1), 5);
const interval = (avq, title) => about.model.interval_mos.map((offset) => limit(avq + (title.interval_factor ?? 1) * offset));
const range = ([low, high]) => `${low.toFixed(1)}–${high.toFixed(1)}`;
const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

const size = (video) => `${video.width_px}x${video.height_px}`;
const videoText = (video) => {
  const target = video.target.startsWith("b=") ? "" : ` ${video.target}`;
  return `${size(video)}${target} ${video.probes ? "~" : ""}${rate(video.kbps)}`;
};
const audioText = (audio) => `${audio.codec}${audio.channels === 1 ? " mono" : ""} ${rate(audio.kbps)}`;
const pairText = (surface, v, a) => `${videoText(surface.video[v])} + ${audioText(surface.audio[a])}`;
const total = (video, audio) => (video + audio) * (1 + about.overhead);

const duration = (scene) => scene.end_s - scene.start_s;
const wholeOf = (title) => title.scenes.reduce((sum, scene) => sum + duration(scene), 0);

// What a focus spends and gets at a stop; null where nothing fits.
function outcome(title, stop, mode = modeOf(title), focus = state.focus) {
  const plan = title.stops[mode][stop];
  if (focus !== null) {
    const pair = plan.pairs[focus];
    if (!pair) return null;
    const [v, a] = pair;
    // A title's price is not a scene's, unless it has only one.
    const { price, gain } = title.scenes.length === 1 ? plan : { price: pair[2], gain: pair[3] };
    const surface = title.scenes[focus].surface;
    const video = surface.video[v].kbps, audio = surface.audio[a].kbps;
    return { video, audio, total: total(video, audio), avq: surface.avq_mos[v][a], vmaf: surface.video[v].vmaf, price, gain, v, a };
  }
  if (plan.avq_mos === null) return null;
  const [video, audio] = plan.kbps;
  return { video, audio, total: total(video, audio), avq: plan.avq_mos, vmaf: plan.vmaf, price: plan.price, gain: plan.gain };
}

// The audio rendition that holds throughout a focus at a stop, or null.
function audioOf(title, stop) {
  const used = audiosOf(title, stop);
  const same = used.every((audio) => audio && audio.codec === used[0].codec && audio.target === used[0].target);
  return same ? { ...used[0], kbps: outcome(title, stop).audio } : null;
}

function audiosOf(title, stop) {
  const used = title.stops[modeOf(title)][stop].pairs.map((pair, s) => pair && title.scenes[s].surface.audio[pair[1]]);
  return state.focus === null ? used : [used[state.focus]];
}

// In how many scenes the audio leaves the range that the model was made for, in words.
function outside(title, stop) {
  const used = audiosOf(title, stop), beyond = used.filter((audio) => audio?.outside).length;
  if (!beyond) return "";
  return used.length === 1 || beyond === used.length ? " (outside the model's range)" : ` (outside the model's range in ${beyond} of ${used.length} scenes)`;
}

// Sizes that are shown at more than twice their height: people rate them lower than AVQ says.
const upscaled = (title, video) => 2 * Math.min(video.width_px, video.height_px) < title.source_px;

