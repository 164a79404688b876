"""What `abr-alloc encode` delivers, a server that remembers what was asked of it, and players in a real Chromium."""

from __future__ import annotations

import http.server
import itertools
import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from abr_alloc.cli import main
from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.publish import publish
from abr_alloc.formats.delivery_record import RECORD_NAME, read_delivery
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.ffmpeg import find_ffmpeg
from abr_alloc.media.probe import content_hash
from abr_alloc.media.programs import find_program

from ..conftest import MakeOnce, work_in_threads

PLAYERS = Path(__file__).parent
TITLES = Path(__file__).parents[2] / "ladders" / "titles"

Pair = tuple[str, str]
"""Folders of a video and an audio rendition."""


@dataclass(frozen=True)
class Delivered:
    """A folder as it is uploaded, and the ladder's pairs in it."""

    folder: Path
    pairs: tuple[Pair, ...]

    @property
    def duration_s(self) -> float:
        return DURATION_S

    def height_px(self, pair: Pair) -> int:
        return int(pair[0].split("x")[1].split("-")[0])

    def ends_s(self, name: str) -> list[float]:
        """When the frames of each segment of a stream end, edit lists applied; the last no later than the title."""
        return [min(fragment.end / fragment.timescale, DURATION_S) for fragment in read_segments(self.folder / name)]

    def num_frames(self, name: str) -> int:
        return sum(fragment.num_frames for fragment in read_segments(self.folder / name))


FPS = Fraction(24000, 1001)
NUM_FRAMES = 108
DURATION_S = float(NUM_FRAMES / FPS)
"""Two segments of 2 s and a short one, at a rate that no decimal holds: players play in real time."""

RUNGS = {
    "aac": ((160, 90, 120, "48k"), (192, 108, 250, "48k"), (192, 108, 450, "96k"), (320, 180, 700, "96k")),
    "opus": ((160, 90, 160, "32k"), (192, 108, 250, "64k")),
    "heaac": ((192, 108, 250, "48k"),),
}
"""Width, height, kbps of video and rate of audio, by audio codec. Two pairs share a size, others share their audio."""


@pytest.fixture(scope="session")
def film(make_media) -> Path:
    """A busy picture and two tones, so that no segment is trifling."""
    return make_media(
        "film.mov",
        f"lavfi:testsrc2=size=320x180:rate={FPS},noise=alls=12:allf=t,trim=end_frame={NUM_FRAMES}",
        f"lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.3*sin(2*PI*660*t):s=48000:d={DURATION_S:.6f}",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    )


def _ladder(film: Path, codec: str, video_codec: str) -> dict:
    """A ladder of `RUNGS`, which says of everything else what a ladder that ships says."""
    ladder = json.loads((TITLES / "handheld-toy-rabbit-480p.json").read_text())
    features = ladder["features"]
    features["source_hashes"] = {film.stem: content_hash(film)}
    features["credits"] = {film.stem: ""}
    features["titles"] = {film.stem: {"fps": float(FPS), "scenes_s": [[0.0, DURATION_S]]}}
    (only,) = ladder["ladders"]
    model = only["rungs"][0]
    only["title"], only["rungs"] = film.stem, []
    for number, (width_px, height_px, kbps, rate) in enumerate(RUNGS[codec]):
        size = {"width_px": width_px, "height_px": height_px}
        video = model["video"] | size | {"codec": video_codec, "target": f"b={kbps}k", "bitrate_kbps": kbps}
        audio = model["audio"] | {"codec": codec, "target": f"b={rate}", "bitrate_kbps": float(rate.removesuffix("k"))}
        total_kbps = 1.02 * (kbps + audio["bitrate_kbps"])
        avq = {"avq_mos": 3.0 + 0.2 * number, "interval_mos": [2.5, 4.5], "played_share": 1 / len(RUNGS[codec])}
        only["rungs"].append(model | {"video": video, "audio": audio, "total_kbps": total_kbps} | avq)
    return ladder


def _deliver(
    film: Path, codec: str, make_once: MakeOnce, *, video_codec: str = "h264", preset: str = "superfast"
) -> Delivered:
    def encode(folder: Path) -> None:
        (folder / "ladder.json").write_text(json.dumps(_ladder(film, codec, video_codec)))
        _encode(film, folder / "ladder.json", folder / "out", "--preset", preset, "--segment", "2s", "--gop", "2s")

    folder = make_once(f"players/{video_codec}-{codec}", encode)
    prefix = "" if video_codec == "h264" else f"{video_codec}-"
    pairs = tuple((f"video/{prefix}{w}x{h}-{kbps}k", f"audio/{codec}-{rate}") for w, h, kbps, rate in RUNGS[codec])
    return Delivered(folder / "out", pairs)


def _encode(source: Path, ladder: Path, folder: Path, *words: str) -> None:
    run_well("encode", source, "--ladder", ladder, "-o", folder, *words, "-q")


def run_well(*words: str | Path) -> None:
    """Run `abr-alloc` in this process, which must end well."""
    with pytest.MonkeyPatch.context() as patch:
        work_in_threads(patch)
        patch.setattr(sys, "argv", ["abr-alloc", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code


@pytest.fixture(scope="session")
def aac_delivered(film, make_once) -> Delivered:
    return _deliver(film, "aac", make_once)


@pytest.fixture(scope="session")
def single_delivered(aac_delivered, tmp_path_factory) -> Delivered:
    """The same streams, each as one file, with a variant of audio alone."""
    folder = shutil.copytree(aac_delivered.folder, tmp_path_factory.mktemp("single") / "out")
    order = replace(read_delivery(folder / RECORD_NAME), single_file=True, audio_only=True)
    publish(order, DeliveryFolder(folder))
    return Delivered(folder, aac_delivered.pairs)


@pytest.fixture(scope="session")
def opus_delivered(film, make_once) -> Delivered:
    return _deliver(film, "opus", make_once)


@pytest.fixture(scope="session")
def av1_delivered(film, make_once) -> Delivered:
    """AV1 with HE-AAC, whose coder has the longest lead-in of all."""
    if find_program("fdkaac") is None and "libfdk_aac" not in find_ffmpeg().encoders:
        pytest.skip("the fdkaac program is not installed")
    return _deliver(film, "heaac", make_once, video_codec="av1", preset="12")


SHOT_CUTS = (0, 47, 83, 134, 194)
"""Frames at which the scenes of `shot_film` begin, at 24 frames/s, and its end: no multiples of a GOP. The last scene
is longer than one: a switch within a scene shows from the next key frame on."""

SCENE_COLOURS = ("red", "lime", "blue", "yellow")


@pytest.fixture(scope="session")
def shot_film(make_media) -> Path:
    """Four scenes, each of its own colour with a little noise. Its foot tells the number of every frame: ten squares,
    white for 1 and black for 0, the lowest digit first."""
    lengths = [b - a for a, b in itertools.pairwise(SHOT_CUTS)]
    scenes = [
        f"color={colour}:size=320x180:rate=24,trim=end_frame={length},noise=alls=12:allf=t[{n}]"
        for n, (colour, length) in enumerate(zip(SCENE_COLOURS, lengths, strict=True))
    ]
    digits = [
        f"drawbox=x={32 * bit}:y=148:w=32:h=32:color=white:t=fill:enable='mod(floor(n/{2**bit}),2)'"
        for bit in range(10)
    ]
    joined = f"{''.join(f'[{n}]' for n in range(len(scenes)))}concat=n={len(scenes)}"
    foot = "drawbox=x=0:y=148:w=320:h=32:color=black:t=fill"
    return make_media(
        "shot_film.mkv",
        f"lavfi:{';'.join(scenes)};{joined},{foot},{','.join(digits)}",
        f"lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.3*sin(2*PI*660*t):s=48000:d={SHOT_CUTS[-1] / 24}",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    )


@dataclass(frozen=True)
class Shots(Delivered):
    """A delivery whose scenes are encoded each by itself."""

    @property
    def duration_s(self) -> float:
        return SHOT_CUTS[-1] / 24

    def heights_px(self, pair: Pair) -> tuple[int, ...]:
        """Height of the pictures in every scene."""
        videos = json.loads((self.folder / "delivery.json").read_text())["videos"]
        (order,) = (video for video in videos if video["name"] == pair[0])
        return tuple(shot["height_px"] for shot in order["shots"])


SHOT_RUNGS = {
    "one size": (
        "160x90 34 30 34 32 + aac 48",
        "320x180 32 29 32 29 + aac 48",
        "320x180 26 25 27 24 + aac 96",
    ),
    "free size": (
        "160x90 34 30 34 32 + aac 48",
        "320x180 160x90:28 320x180:30 160x90:27 320x180:29 + aac 48",
        "320x180 24 160x90:24 24 22 + aac 96",
    ),
}
"""Per rung the sizes and CRF of the scenes. Of free size, one rung changes where another does not."""


@pytest.fixture(scope="session")
def deliver_shots(shot_film, write_shot_ladder, make_once) -> Callable[[str], Shots]:
    """A maker of deliveries of `SHOT_RUNGS`, each made once."""

    def deliver(name: str) -> Shots:
        def encode(folder: Path) -> None:
            ladder = write_shot_ladder(shot_film, *SHOT_RUNGS[name], cuts=SHOT_CUTS)
            _encode(shot_film, ladder, folder / "out", "--preset", "superfast")

        folder = make_once(f"players/{name}", encode) / "out"
        rungs = json.loads((folder / "delivery.json").read_text())["rungs"]
        return Shots(folder, tuple((rung["video"], rung["audio"]) for rung in rungs))

    return deliver


TONES_HZ = {"en": 440, "de": 880}

CUES = """1
00:00:00,500 --> 00:00:02,500
<i>Eins</i> & zwei

2
00:00:01,500 --> 00:00:03,000
Dazu drei

3
00:00:05,000 --> 00:00:07,000
Über den Schnitt

4
00:00:07,500 --> 00:01:00,000
Nach dem Ende
"""
"""Two cues that overlap, one over the cut at 6 s, one that lasts beyond the film."""


@pytest.fixture(scope="session")
def tracks_delivered(make_media, write_ladder, make_once) -> Path:
    """8 s in two languages, told by their tones, with German subtitles and English captions."""
    return make_once("players/tracks", lambda folder: _deliver_tracks(folder, make_media, write_ladder)) / "out"


def _deliver_tracks(folder: Path, make_media, write_ladder) -> None:
    (folder / "de.srt").write_text(CUES)
    (folder / "en.srt").write_text("1\n00:00:00,500 --> 00:00:02,500\n[thunder]\n")
    tones = [f"lavfi:sine=frequency={hz}:sample_rate=48000:duration=8" for hz in TONES_HZ.values()]
    source = make_media(
        "tracks.mkv",
        *("lavfi:testsrc2=size=320x180:rate=25:duration=8", *tones),
        *("-i", folder / "de.srt", "-i", folder / "en.srt", "-map", "0", "-map", "1", "-map", "2", "-map", "3"),
        *("-map", "4", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-ac", "2", "-c:a", "flac"),
        *("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=ger"),
        *("-metadata:s:s:1", "language=eng", "-disposition:s:1", "hearing_impaired", "-c:s", "srt"),
    )
    ladder = write_ladder("160x90 80 + aac 48", "320x180 200 + aac 96", title="tracks")
    _encode(source, ladder, folder / "out", "--preset", "ultrafast")


MIME_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".vtt": "text/vtt",
}


class Server(http.server.ThreadingHTTPServer):
    """Folders under one address, and a log of what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        self.folders: dict[str, Path] = {}
        self.players = self.add(PLAYERS)
        self.asked: list[tuple[str, int]] = []
        self.ranges: list[tuple[str, int, int]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request, client_address) -> None:
        """A page that closes hangs up in the middle of an answer; what else goes wrong is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def add(self, folder: Path) -> str:
        """Serve a folder under a prefix of its own, so that the log of one visit has nothing of another."""
        prefix = f"/{len(self.folders)}/"
        self.folders[prefix] = folder
        return prefix

    def url(self, prefix: str, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{prefix}{path}"

    def asked_below(self, prefix: str) -> list[tuple[str, int]]:
        """Path and status of all answers below a prefix, so far."""
        return [(path.removeprefix(prefix), status) for path, status in list(self.asked) if path.startswith(prefix)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        prefix = path[: path.find("/", 1) + 1]
        file = self.server.folders.get(prefix, PLAYERS / "nothing") / path.removeprefix(prefix)
        body, status = (file.read_bytes(), 200) if file.is_file() else (b"", 404)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        whole, first = len(body), int(asked[1]) if asked else 0
        if asked and body:
            body, status = body[first : int(asked[2]) + 1 if asked[2] else None], 206
            self.server.ranges.append((path, first, len(body)))
        self.server.asked.append((path, status))
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{whole}")
        self.send_header("Content-Type", MIME_TYPES.get(file.suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        # The players themselves are fetched once; of a delivery everything is asked for anew by every visit.
        self.send_header("Cache-Control", "max-age=3600" if path.startswith(self.server.players) else "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as started:
        thread = threading.Thread(target=started.serve_forever, daemon=True)
        thread.start()
        yield started
        started.shutdown()
        thread.join()


class Visit:
    """One player in a page of its own, playing one delivery."""

    TIMEOUT_MS = 60_000
    """How long a busy machine may take to reach a state; a broken delivery never does."""

    def __init__(self, context, server: Server, folder: Path) -> None:
        self.server = server
        self.prefix = server.add(folder)
        self.page = context.new_page()
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(server.url(server.players, "player.html"))

    def open(self, player: str, playlist: str, pair: Pair | None = None, dynamic_range: str | None = None) -> None:
        """Have a player read a playlist or manifest and, where told to, begin with a pair, or play SDR or PQ."""
        words = [player, self.server.url(self.prefix, playlist), pair, dynamic_range]
        self.page.evaluate("words => open_(...words)", words)

    def state(self) -> dict:
        return self.page.evaluate("state()")

    def offered(self) -> list[Pair]:
        return [tuple(pair) for pair in self.page.evaluate("player.offered()")]

    def play(self, rate: float = 1.0) -> None:
        self.page.evaluate("rate => play(rate)", rate)

    def force(self, pair: Pair) -> None:
        self.page.evaluate("async pair => { await player.force(pair); }", pair)

    def seek(self, time_s: float) -> None:
        self.page.evaluate("time => { video.currentTime = time; }", time_s)

    def watch(self) -> None:
        """Begin to note every frame that is shown."""
        self.page.evaluate("watch()")

    def take_shown(self) -> list[dict]:
        """Frames that were shown since the last call: time, number and size."""
        return self.page.evaluate("takeShown()")

    def show_frame_at(self, time_s: float) -> dict:
        """Stand still at a time; the number and the size of the frame that is shown."""
        return self.page.evaluate("showFrameAt", time_s)

    def wait(self, condition: str, *args: object, timeout_ms: float = TIMEOUT_MS) -> dict:
        """Wait until a condition on `s`, the state, and `args` holds, or a problem turns up; return the state.

        Raises:
            AssertionError: it never did, or there was a problem.
        """
        from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

        script = f"args => {{ const s = state(); return s.problems.length || ({condition}); }}"
        try:
            self.page.wait_for_function(script, arg=list(args), timeout=timeout_ms, polling=50)
        except PlaywrightTimeoutError as error:
            raise AssertionError(f"never came to {condition} with {args}: {json.dumps(self.state())}") from error
        state = self.state()
        assert not state["problems"] and not self.said, (state["problems"], self.said)
        return state

    def asked(self) -> list[tuple[str, int]]:
        return self.server.asked_below(self.prefix)

    def failures(self) -> list[tuple[str, int]]:
        return [(path, status) for path, status in self.asked() if status not in (200, 206)]

    def ranges(self) -> set[tuple[str, int, int]]:
        """Path, first byte and bytes of every answer that was a part of a file."""
        below = [one for one in self.server.ranges if one[0].startswith(self.prefix)]
        return {(path.removeprefix(self.prefix), first, size) for path, first, size in below}

    def buffered(self) -> list[dict]:
        """What the browser has of video and audio: ranges, timestamp offset, the end after every append, seconds."""
        state = self.state()
        return [
            one | {"ends": state["ends"][one["kind"]]}
            for one in sorted(state["buffered"], key=itemgetter("kind"))[::-1]
        ]


@pytest.fixture(scope="session")
def window(browser) -> Iterator:
    """A browser window for all visits, whose cache holds the players; no page leaves the next one anything else."""
    context = browser.new_context(viewport={"width": 400, "height": 300})
    context.add_init_script("localStorage.clear()")  # where dash.js notes the rates that it last played
    yield context
    context.close()


@pytest.fixture
def visit(window, server) -> Iterator[Callable[[Path], Visit]]:
    """Open the page of the players for a folder: `visit(folder)`."""
    for name in ("hls.js", "dashjs", "shaka-player"):
        if not (PLAYERS / "node_modules" / name).is_dir():
            pytest.skip(f"{name} is not in tests/players/node_modules (.ci/install-players)")
    opened: list[Visit] = []

    def open_(folder: Path) -> Visit:
        opened.append(Visit(window, server, folder))
        return opened[-1]

    yield open_
    for one in opened:
        one.page.close()
