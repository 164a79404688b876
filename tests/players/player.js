// One interface over hls.js, dash.js and Shaka Player, so that a test says what to play and not how each is told.
//
// A stream is called by its folder below the master playlist, as the server sees it asked for: "video/640x360-300k".
"use strict";

const video = document.querySelector("video");
const problems = []; // what players, source buffers and the element complained about
const stalls = []; // when a player said that it starved; a busy machine may cause one
const sourceBuffers = [];
const ends = { audio: [], video: [] }; // of what is buffered, after every append

// Whatever a player believes, this is what the browser's decoder was given.
const addSourceBuffer = MediaSource.prototype.addSourceBuffer;
MediaSource.prototype.addSourceBuffer = function (type) {
  const buffer = addSourceBuffer.call(this, type);
  const kind = type.split("/")[0];
  sourceBuffers.push({ kind, buffer });
  buffer.addEventListener("updateend", () => ends[kind].push(ranges(buffer)?.at(-1)?.[1] ?? 0));
  buffer.addEventListener("error", () => problems.push(`the browser refused ${type}`));
  return buffer;
};
video.addEventListener("error", () => problems.push(`media element: ${video.error.message}`));

const ranges = (buffer) => {
  try {
    const { buffered } = buffer;
    return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
  } catch {
    return null; // a player that gives up takes its buffers away
  }
};

const load = (path) =>
  new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: `node_modules/${path}`, onload: resolve, onerror: reject });
    document.body.append(script);
  });

// Representations are called by the last part of their folder's name; in playlists Shaka Player calls streams by URI.
const named = (name) => name.split("/").at(-1);
const unnamed = (kind, id) => (id.includes("/") ? id.replace(/\/[^/]*$/, "") : `${kind}/${id}`);
const folder = (url, root) => new URL(url, root).href.slice(root.length).replace(/\/[^/]*$/, "");

const players = {
  async "hls.js"(url, root, start, range) {
    await load("hls.js/dist/hls.min.js");
    const chosen = range && { preferHDR: range !== "SDR", allowedVideoRanges: [range] };
    const hls = new Hls({ autoStartLoad: false, videoPreference: chosen });
    const audioOf = (level) => hls.allAudioTracks.filter((track) => level.audioGroups.includes(track.groupId));
    const pair = (level) => [folder(level.uri, root), ...audioOf(level).map((track) => folder(track.url, root))];
    const index = (wanted) => hls.levels.findIndex((level) => pair(level).join() === wanted.join());
    const appended = { main: [], audio: [] }; // fragments in the order in which they reached the browser
    hls.on(Hls.Events.FRAG_BUFFERED, (_, { frag }) => appended[frag.type].push(frag));
    const at = (kind) => {
      const now = (frag) => frag.start <= video.currentTime && (video.currentTime < frag.end || video.ended);
      const frag = appended[kind].findLast(now);
      return frag && folder(frag.url, root);
    };
    hls.on(Hls.Events.ERROR, (_, { details, error, fatal }) => {
      if (details === Hls.ErrorDetails.INTERNAL_ABORTED) return; // a switch gives up what was being loaded
      const list = !fatal && /^buffer(Stalled|NudgeOnStall|SeekOverHole)/.test(details) ? stalls : problems;
      list.push(`${fatal ? "fatal " : ""}${details} at ${video.currentTime}: ${error?.message}`);
    });
    const parsed = new Promise((resolve) => hls.once(Hls.Events.MANIFEST_PARSED, resolve));
    // A switch between rates of one language keeps the old sound that is buffered, of a short title all; it goes here.
    let forced = false;
    const flush = { startOffset: 0, endOffset: Infinity, type: "audio" };
    hls.on(Hls.Events.AUDIO_TRACK_SWITCHING, () => forced && hls.trigger(Hls.Events.BUFFER_FLUSHING, flush));
    hls.loadSource(url);
    hls.attachMedia(video);
    await parsed;
    if (start) hls.startLevel = hls.loadLevel = index(start);
    hls.startLoad(0);
    return {
      offered: () => hls.levels.map(pair),
      force(wanted) {
        forced = true;
        hls.currentLevel = index(wanted);
      },
      spoken: () => hls.audioTracks.map(({ lang, name }) => [lang, name]),
      speak: (language) => (hls.audioTrack = hls.audioTracks.findIndex(({ lang }) => lang === language)),
      show: (language) => (hls.subtitleTrack = hls.subtitleTracks.findIndex(({ lang }) => lang === language)),
      playing() {
        const level = hls.levels[hls.currentLevel];
        const track = hls.audioTracks[hls.audioTrack]; // of the tracks of the level's group
        if (!level || !track || !level.audioGroups.includes(track.groupId)) return null;
        const now = [folder(level.uri, root), folder(track.url, root)];
        return at("main") === now[0] && at("audio") === now[1] ? now : null;
      },
    };
  },

  async "dash.js"(url, root, start, range) {
    await load("dashjs/dist/modern/umd/dash.all.min.js");
    const player = dashjs.MediaPlayer().create();
    // It offers HDR where the browser says that its display shows it; a test's does not.
    if (range === "PQ") {
      const properties = ["ColourPrimaries", "TransferCharacteristics", "MatrixCoefficients"];
      const known = properties.map((name) => ({ schemeIdUri: `urn:mpeg:mpegB:cicp:${name}` }));
      player.updateSettings({
        streaming: {
          capabilities: { filterVideoColorimetryEssentialProperties: false, supportedEssentialProperties: known },
        },
      });
      player.setCustomInitialTrackSelectionFunction((tracks) => [tracks.find(({ codec }) => codec?.includes("av01")) ?? tracks[0]]);
    }
    player.updateSettings({
      streaming: { abr: { autoSwitchBitrate: { audio: false, video: false } }, text: { defaultEnabled: false } },
    });
    const { MediaPlayer: { events } } = dashjs;
    player.on(events.ERROR, ({ error }) => problems.push(`dash.js ${error.code}: ${error.message}`));
    player.on(events.PLAYBACK_STALLED, () => stalls.push(`stalled at ${video.currentTime}`));
    const ready = new Promise((resolve) => player.on(events.STREAM_INITIALIZED, resolve));
    player.initialize(video, url, false);
    await ready;
    const names = (kind) => player.getRepresentationsByType(kind).map(({ id }) => unnamed(kind, id));
    const force = (wanted) => {
      player.setRepresentationForTypeById("video", named(wanted[0]), true);
      player.setRepresentationForTypeById("audio", named(wanted[1]), true);
    };
    if (start) force(start);
    return {
      force,
      spoken: () => player.getTracksFor("audio").map(({ lang, labels }) => [lang, labels[0]?.text]),
      speak: (language) => player.setCurrentTrack(player.getTracksFor("audio").find(({ lang }) => lang === language)),
      show: (language) => player.setTextTrack(player.getTracksFor("text").findIndex(({ lang }) => lang === language)),
      offered: () => names("video").flatMap((picture) => names("audio").map((sound) => [picture, sound])),
      playing() {
        const current = (kind) => player.getCurrentRepresentationForType(kind)?.id;
        return ["video", "audio"].map((kind) => current(kind) && unnamed(kind, current(kind)));
      },
    };
  },

  async shaka(url, root, start, range) {
    await load("shaka-player/dist/shaka-player.compiled.js");
    const player = new shaka.Player();
    if (range) player.configure("preferredVideo", [{ hdrLevel: range }]);
    player.addEventListener("error", ({ detail }) => problems.push(`shaka ${detail.code}: ${detail.message}`));
    player.addEventListener("stalldetected", () => stalls.push(`stalled at ${video.currentTime}`));
    player.addEventListener("gapjumped", () => problems.push(`jumped over a gap to ${video.currentTime}`));
    player.configure("abr.enabled", false);
    // A switch that aborts a prefetched initialisation segment asks for it over and over (seen in 5.2.12).
    player.configure("streaming.segmentPrefetchLimit", 0);
    await player.attach(video);
    await player.load(url);
    const tracks = () => player.getVariantTracks();
    const pair = ({ originalVideoId, originalAudioId }) => [
      unnamed("video", originalVideoId),
      unnamed("audio", originalAudioId),
    ];
    const force = (wanted) => player.selectVariantTrack(tracks().find((track) => pair(track).join() === wanted.join()), true);
    if (start) force(start);
    return {
      force,
      offered: () => tracks().map(pair),
      playing: () => pair(tracks().find(({ active }) => active)),
      spoken: () => player.getAudioTracks().map(({ language, label }) => [language, label]),
      speak: (wanted) => player.selectAudioTrack(player.getAudioTracks().find(({ language }) => language === wanted)),
      show: (wanted) => player.selectTextTrack(player.getTextTracks().find(({ language }) => language === wanted) ?? null),
    };
  },
};

window.open_ = async (player, url, start, range) => {
  const root = url.replace(/[^/]*$/, "");
  window.player = await players[player](url, root, start, range);
};

window.play = (rate) => {
  video.playbackRate = rate;
  // A player that gives up pauses, and interrupts this; whether it plays is for the state to say.
  video.play().catch((error) => error.name === "AbortError" || problems.push(`play: ${error}`));
};

window.state = () => ({
  time_s: video.currentTime,
  duration_s: video.duration,
  height_px: video.videoHeight,
  // dash.js tells the browser once that the stream ends, and not at all where a buffer is being updated just then, as on
  // a busy machine. It takes the position for the end itself, and so do we: what was buffered is looked at apart.
  played_out: video.ended || video.currentTime >= video.duration - 0.001,
  seeking: video.seeking,
  frames: video.getVideoPlaybackQuality().totalVideoFrames,
  video_bytes: video.webkitVideoDecodedByteCount,
  audio_bytes: video.webkitAudioDecodedByteCount,
  buffered: sourceBuffers.map(({ kind, buffer }) => ({ kind, ranges: ranges(buffer), offset: buffer.timestampOffset })),
  ends,
  playing: window.player?.playing() ?? null,
  problems,
  stalls,
});

// Frames as they are shown: when, how large, and the number that the foot of `shot_film` tells in ten squares. The
// canvas may already have a later frame than the one that is told of.
const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 180 });
const pixels = canvas.getContext("2d", { willReadFrequently: true });
const shown = [];
const numberOfFrame = () => {
  pixels.drawImage(video, 0, 0, canvas.width, canvas.height);
  const digits = Array.from({ length: 10 }, (_, bit) => pixels.getImageData(32 * bit + 16, 164, 1, 1).data[0] > 128);
  return digits.reduce((number, digit, bit) => number + (digit ? 2 ** bit : 0), 0);
};

window.watch = () => {
  const note = (_, { mediaTime, width, height }) => {
    shown.push({ time_s: mediaTime, number: numberOfFrame(), size: [width, height] });
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
};

window.takeShown = () => shown.splice(0);

// Shows one frame and stands still.
window.showFrameAt = async (time_s) => {
  video.pause();
  const there = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
  video.currentTime = time_s;
  await there;
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return { number: numberOfFrame(), size: [video.videoWidth, video.videoHeight] };
};

// What is heard: the loudest frequency just now.
let analyser = null;
window.listen = () => {
  const context = new AudioContext();
  analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
};
window.heardHz = () => {
  const levels = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(levels);
  const loudest = levels.reduce((best, level, bin) => (level > levels[best] ? bin : best), 0);
  return levels[loudest] > -60 ? (loudest * analyser.context.sampleRate) / analyser.fftSize : 0;
};

// What is written below the picture just now.
window.shownText = () =>
  Array.from(video.textTracks)
    .filter(({ mode }) => mode === "showing")
    .flatMap(({ activeCues }) => Array.from(activeCues ?? [], ({ text }) => text))
    .join("|");
