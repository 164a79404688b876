"""Shared fixtures: media synthesised by the bundled ffmpeg, a tiny grid, a browser, and the command in this process."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import itertools
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib import resources
from pathlib import Path

# Before NumPy and torch are there: each core has a test process of its own, and on arrays as small as these, threads
# spend a third of the time waiting for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
import vl_convert

from abr_alloc.allocation.audience import lognormal
from abr_alloc.allocation.design import TitleLadder
from abr_alloc.allocation.rendition import Shot
from abr_alloc.allocation.rung import ShotProof, make_ladder
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.audio_families import LISTENER
from abr_alloc.cli import main
from abr_alloc.delivery.publish import timeline_of
from abr_alloc.exporting.hls import i_frame_playlist, master_playlist, media_playlist
from abr_alloc.exporting.presentation import (
    I_FRAME_PLAYLIST_NAME,
    PLAYLIST_NAME,
    AudioStream,
    Timeline,
    Variant,
    VideoStream,
)
from abr_alloc.formats.delivery_record import AudioOrder, Delivery, PlannedRung, VideoOrder
from abr_alloc.formats.ladder_file import ladder_document
from abr_alloc.location import parse_location
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg
from abr_alloc.media.probe import content_hash
from abr_alloc.media.segments import INIT_NAME
from abr_alloc.table.table import FeatureTable, read_features

from .forked_command import ForkServer

EXAMPLE = Path(__file__).parents[1] / "examples" / "clip_features.parquet"


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much tests/robustness tries; options must be known before its folder is looked at."""
    parser.addoption("--fuzz-cases", type=int, help="damaged inputs to try, in all, other ones with every seed")
    parser.addoption("--all-faults", action="store_true", help="every fault at every write and program, not one each")
    parser.addoption("--kills", type=int, default=3, help="runs that are killed at random moments")
    parser.addoption("--fuzz-seed", type=int, default=0, help="seed of these")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: some tests wait, for a browser, a cluster or a limit of time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What fails in a browser is run again, twice at most.

    On a busy machine a browser starves, and players trip over that in ways of their own; a real fault fails each time.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A folder of this run of the tests, the same for all of its processes."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


MakeOnce = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def make_once(run_folder) -> MakeOnce:
    """A maker of what all processes of this run read, and none changes: `make_once(name, make)` gives the folder that
    `make(folder)` filled, in whichever process came first."""

    def make_or_wait(name: str, make: Callable[[Path], None]) -> Path:
        folder = run_folder / "made_once" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        done = folder.with_name(f"{folder.name}.done")
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a making that failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return make_or_wait


def _kept_library(make_once: MakeOnce) -> Callable[..., str]:
    """`vl_convert.javascript_bundle`, called once in a run: the same for every report, and seconds each time."""
    bundle = vl_convert.javascript_bundle

    @functools.cache
    def kept(snippet: str, **settings: str) -> str:
        def make(folder: Path) -> None:
            (folder / "library.js").write_text(bundle(snippet, **settings), encoding="utf-8", newline="")

        key = hashlib.sha256(repr((snippet, settings)).encode()).hexdigest()[:12]
        return (make_once(f"libraries/{key}", make) / "library.js").read_bytes().decode("utf-8")

    return kept


@pytest.fixture(scope="session", autouse=True)
def own_surroundings(run_folder, make_once, tmp_path_factory):
    """No test sees the user's settings or touches the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ABR_ALLOC_FFMPEG", raising=False)
        patch.setenv("ABR_ALLOC_CACHE", str(tmp_path_factory.mktemp("cache") / "default"))
        patch.setenv("ABR_ALLOC_SCRATCH", str(tmp_path_factory.mktemp("scratch")))
        # Workers and subprocesses find the package where this process found it.
        package_root = str(Path(sys.modules["abr_alloc"].__path__[0]).parent)
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")])))
        if sys.dont_write_bytecode:  # else each of them would compile pandas and the rest: most of what a command takes
            patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
            patch.setenv("PYTHONPYCACHEPREFIX", str(run_folder / "bytecode"))
        patch.setattr(vl_convert, "javascript_bundle", _kept_library(make_once))
        yield


@pytest.fixture(scope="session")
def ffmpeg() -> FFmpeg:
    return find_ffmpeg()


@pytest.fixture(scope="session")
def example() -> Path:
    """The feature table that the repository shows its commands on."""
    return EXAMPLE


def _as_listened(table: FeatureTable) -> FeatureTable:
    """A table as if the listener had heard its audio: other numbers, one scale with those it had."""
    frame = table.frame.drop(columns="visqol_mos")
    is_audio = (frame["kind"] == "audio").to_numpy()
    lost = 4.65 - frame.loc[is_audio, "audio_mos"].to_numpy(dtype=float)
    vectors = iter(np.abs(np.random.default_rng(0).normal(size=(len(lost), 512)).astype(np.float32)) * lost[:, None])
    features = [next(vectors).astype(np.float32) if heard else None for heard in is_audio]
    frame = frame.assign(audio_spread_mos=np.where(is_audio, 0.3, np.nan), audio_features=features)
    about = replace(table.metadata, audio_feature_version=LISTENER.version, visqol_version="")
    return FeatureTable(frame, about)


@pytest.fixture(scope="session")
def as_listened() -> Callable[[FeatureTable], FeatureTable]:
    """A maker of tables of the listener's features from ViSQOL's: `as_listened(table)`."""
    return _as_listened


@pytest.fixture(scope="session")
def listened(example) -> FeatureTable:
    """The example's table as if the listener had heard its audio."""
    return _as_listened(read_features(example))


@pytest.fixture(scope="session")
def listener_model(tmp_path_factory) -> Path:
    """A checkpoint that says it was trained on the listener's features: one that ships, under another card."""
    own = Path(str(resources.files("abr_alloc.models").joinpath("weights", "attentive")))
    folder = Path(shutil.copytree(own, tmp_path_factory.mktemp("models") / "heard"))
    card = json.loads((folder / "model.json").read_text())
    card |= {"name": "heard", "audio_feature_version": LISTENER.version}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


MakeMedia = Callable[..., Path]


@pytest.fixture(scope="session")
def make_media(ffmpeg, make_once) -> MakeMedia:
    """A maker of media files: `make_media(name, *ffmpeg_arguments)`; a lavfi input is written `lavfi:GRAPH`.

    All processes of a run read the same files: copy one before changing it.
    """

    def make(name: str, *args: str | Path) -> Path:
        words: list[str | Path] = []
        for arg in args:
            if isinstance(arg, str) and arg.startswith("lavfi:"):
                words += ["-f", "lavfi", "-i", arg.removeprefix("lavfi:")]
            else:
                words.append(arg)
        # The same name with other arguments is another file: tests run in any order, on any worker.
        key = hashlib.sha256("\0".join([name, *map(str, args)]).encode()).hexdigest()[:12]
        return make_once(f"media/{key}", lambda folder: ffmpeg.run([*words, folder / name])) / name

    return make


FAST_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="session")
def clip(make_media) -> Path:
    """2 s of a moving picture with two different tones: 96x64 at 12 fps, stereo at 48 kHz."""
    return make_media(
        "clip.mp4",
        "lavfi:testsrc2=size=96x64:rate=12:duration=2",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t):s=48000:d=2",
        *FAST_H264,
        "-c:a",
        "aac",
    )


@pytest.fixture(scope="session")
def tiny_grid(tmp_path_factory) -> Path:
    """Two sizes at one CRF, one audio rate."""
    path = tmp_path_factory.mktemp("grid") / "tiny.toml"
    path.write_text('[video]\nsizes = [32]\n[video.crf]\nh264 = [28]\n[audio]\naac = ["48k"]\n')
    return path


@pytest.fixture(scope="session")
def object_store() -> Iterator[None]:
    """An S3-compatible server on this machine; the environment says where, as users say it."""
    for library in ("moto.server", "s3fs", "upath"):
        pytest.importorskip(library, reason="the extra [s3] or moto is not installed")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
            patch.setenv(f"AWS_{name}", value)
        yield
    server.stop()


@pytest.fixture
def bucket(object_store, tmp_path_factory) -> Path:
    """An empty bucket of one's own, as a place."""
    name = f"bucket-{tmp_path_factory.mktemp('bucket').name.removeprefix('bucket')}"
    place = parse_location(f"s3://{name}")
    place.fs.mkdir(name)
    return place


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("ABR_ALLOC_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """A real Chromium, headless."""
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium on PATH (apt-get install chromium), and ABR_ALLOC_CHROMIUM names none")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    def error_line(self, word: str = "error") -> str:
        """The only line on stderr, which must begin with `word: `."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith(f"{word}: "), self.stderr
        return lines[0]


RunCommand = Callable[..., Outcome]


@pytest.fixture
def run_command(monkeypatch, capfd) -> RunCommand:
    """Run `abr-alloc` in this process, through the function that the installed script calls."""

    def run(*args: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["abr-alloc", *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def forks(own_surroundings) -> Iterator[ForkServer]:
    """Commands in processes of their own: `forks.run("plan", ...)`, `forks.start(...)`."""
    server = ForkServer()
    yield server
    server.close()


def _make_ratings(num_contents: int = 4, seed: int = 0) -> pd.DataFrame:
    """Ratings with the columns of LIVE-SJTU, 0-100: three video conditions with three audio rates of every content."""
    rng = np.random.default_rng(seed)
    rows = []
    for c in range(num_contents):
        motion = rng.uniform(3, 15)
        for v, quality in enumerate((0.2, 0.5, 0.9)):
            vif = np.sort(np.clip(quality + rng.uniform(-0.1, 0.1, size=4), 0, 1))
            for kbps, gain in ((8, 0.5), (32, 0.9), (128, 1.0)):
                vif1d = gain**2 + rng.uniform(-0.05, 0.0, size=4)
                row = {f"vif_scale{i}": vif[i] for i in range(4)} | {f"vif1d_scale{i}": vif1d[i] for i in range(4)}
                mos = 20 + 55 * vif.mean() * gain + rng.normal(scale=0.5)
                rows.append(
                    {"content": f"c{c}", "video_condition": f"QP{v}", "audio_codec": "aac", "audio_kbps": kbps}
                    | {"mos": mos, "frame_diff": motion, **row}
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def make_ratings() -> Callable[..., pd.DataFrame]:
    """A maker of rated stimuli: `make_ratings(num_contents)`."""
    return _make_ratings


def _make_video_ratings() -> pd.DataFrame:
    """Video ratings, 1-5, as panels give them: six contents of two data sets, three sizes at three rates each.

    VMAF is right but for one content, whose pictures it judges by their size.
    """
    rng = np.random.default_rng(0)
    rows = []
    for c in range(6):
        for height, limit in ((360, 3.0), (720, 4.0), (1080, 4.8)):
            for kbps in (500.0, 1500.0, 4000.0):
                mos = float(np.clip(limit - height / kbps + rng.normal(scale=0.05), 1.0, 5.0))
                vmaf = 10.0 * height / 1080.0 if c == 0 else 20.0 * mos - 10.0
                rows.append(
                    {"content": f"c{c}", "dataset": "ab"[c % 2], "codec": "h264", "height": height}
                    | {"bitrate_kbps": kbps, "mos": mos, "vmaf": vmaf, "motion2": 3.0 + c, "adm2": 0.2 * mos}
                    | {f"vif_scale{i}": 0.2 * mos - 0.02 * i for i in range(4)}
                )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def make_video_ratings() -> Callable[[], pd.DataFrame]:
    """A maker of video ratings with sizes and rates."""
    return _make_video_ratings


def _cut(ffmpeg: FFmpeg, source: Path, folder: Path, segment_s: int, *options: str | Path) -> Timeline:
    """Encode one stream of a source into segments of fragmented MP4, and measure them."""
    folder.mkdir(parents=True)
    ffmpeg.run(
        [
            *("-i", source, *options, "-f", "dash", "-seg_duration", str(segment_s), "-use_timeline", "0"),
            *("-init_seg_name", INIT_NAME, "-media_seg_name", "$Number%05d$.m4s"),
            *("-format_options", "movflags=+cmaf+frag_keyframe", folder / "unused.mpd"),
        ]
    )
    (folder / "unused.mpd").unlink()
    return timeline_of(folder, read_segments(folder))


@pytest.fixture(scope="session")
def make_hls(ffmpeg, make_media, make_once) -> Callable[..., Path]:
    """A maker of HLS streams of 14 s: two videos (96x64 and 144x96, 12 fps) with AAC of 48k and 96k.

    `make_hls(gop=24, segment_s=6, channels=2, x264="")` gives the master playlist. Copy its folder before changing it.
    """

    def build(folder: Path, gop: int = 24, segment_s: int = 6, channels: int = 2, x264: str = "bframes=2") -> None:
        source = make_media(
            "fourteen.mkv",
            "lavfi:testsrc2=size=144x96:rate=12:duration=14",
            "lavfi:aevalsrc=0.3*random(0)|0.3*random(1):s=48000:d=14",
            *("-vf", "noise=alls=20:allf=t", *FAST_H264, "-c:a", "flac"),
        )
        variants = []
        for n, (height, video_rate, audio_rate) in enumerate(((64, "100k", "48k"), (96, "250k", "96k"))):
            video_name, audio_name = f"video/{height}", f"audio/{audio_rate}"
            rates = ("-b:v", video_rate, "-maxrate", video_rate, "-bufsize", video_rate)
            coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-x264-params", x264)
            keys = ("-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0")
            options = ("-map", "0:v", "-vf", f"scale=-2:{height}", *coding, *rates, *keys)
            video = _cut(ffmpeg, source, folder / video_name, segment_s, *options)
            options = ("-map", "0:a", "-c:a", "aac", "-ac", str(channels), "-b:a", audio_rate)
            audio = _cut(ffmpeg, source, folder / audio_name, segment_s, *options)
            first = read_fragment(
                (folder / video_name / "00001.m4s").read_bytes(), (folder / video_name / INIT_NAME).read_bytes()
            )
            for name, timeline in ((video_name, video), (audio_name, audio)):
                (folder / name / PLAYLIST_NAME).write_text(media_playlist(timeline), encoding="utf-8")
            (folder / video_name / I_FRAME_PLAYLIST_NAME).write_text(i_frame_playlist(video), encoding="utf-8")
            variants.append(
                Variant(
                    video=VideoStream(
                        name=video_name,
                        codecs=first.codecs,
                        width_px=first.width_px,
                        height_px=first.height_px,
                        fps=Fraction(12),
                        peak_bits_per_s=video.peak_bits_per_s,
                        average_bits_per_s=video.average_bits_per_s,
                        timeline=video,
                    ),
                    audio=AudioStream(
                        name=audio_name,
                        codecs="mp4a.40.2",
                        channels=channels,
                        sample_rate_hz=48000,
                        language="en",
                        label="English",
                        peak_bits_per_s=audio.peak_bits_per_s,
                        average_bits_per_s=audio.average_bits_per_s,
                        timeline=audio,
                    ),
                    avq_mos=3.0 + n,
                )
            )
        (folder / "master.m3u8").write_text(master_playlist(variants), encoding="utf-8")

    def make(**options: int | str) -> Path:
        name = "-".join(["of", *(f"{option}={value}" for option, value in sorted(options.items()))])
        return make_once(f"hls/{name}", lambda folder: build(folder, **options)) / "master.m3u8"

    return make


# Delivery: ladders by hand, and one film that was delivered.


def _ladder(title: str, pairs: tuple[str, ...]) -> TitleLadder:
    rungs = []
    for number, pair in enumerate(pairs):
        video, audio = (half.split() for half in pair.split("+"))
        width, height = map(int, video[-2].split("x"))
        video_kbps, audio_kbps = float(video[-1]), float(audio[-1])
        shown = VideoRendition(
            codec=video[-3] if len(video) == 3 else "h264",
            width_px=width,
            height_px=height,
            target="crf=28",
            bitrate_kbps=video_kbps,
        )
        played = AudioRendition(
            codec=audio[0],
            channels=1 if "mono" in audio else 2,
            target=f"b={audio_kbps:g}k",
            bitrate_kbps=audio_kbps,
        )
        rungs.append((shown, played, 1.02 * (video_kbps + audio_kbps), 3.0 + 0.2 * number, ""))
    return TitleLadder(
        ladder=make_ladder(title, rungs, lognormal(800, 0.9, "lognormal"), (-0.3, 0.3)),
        num_candidates=0,
        crossovers=(),
        comparison=None,
    )


WriteLadder = Callable[..., Path]


@pytest.fixture(scope="session")
def write_ladder(tmp_path_factory) -> WriteLadder:
    """A maker of ladder files: `write_ladder("96x64 80 + aac 32", "hevc 96x64 150 + aac mono 64")`, rates in kbps.

    AVQ rises by 0.2 from 3.0. `titles`, pairs by title, makes a file of several; `hashes` are those of the sources.
    """

    def write(*pairs: str, title: str = "film", titles: dict | None = None, hashes: dict | None = None) -> Path:
        found = [_ladder(name, one) for name, one in (titles or {title: pairs}).items()]
        about = {
            "model": {"name": "attentive", "weights_sha256": ""},
            "features": {"source_hashes": hashes or {}},
            "options": {"overhead": 0.02},
        }
        path = tmp_path_factory.mktemp("ladder") / "ladder.json"
        path.write_text(json.dumps(ladder_document(found, about)))
        return path

    return write


@pytest.fixture(scope="session")
def film(make_media) -> Path:
    """13 s at 24000/1001 in German: three segments of a moving picture and a tone with noise."""
    return make_media(
        "film.mp4",
        "lavfi:testsrc2=size=128x72:rate=24000/1001:duration=13",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.05*random(0)|0.2*sin(2*PI*660*t)+0.05*random(1):s=48000:d=13",
        *(*FAST_H264, "-c:a", "aac", "-metadata:s:a", "language=ger"),
    )


@pytest.fixture(scope="session")
def film_ladder(write_ladder) -> Path:
    """Three pairs of three video and two audio renditions."""
    return write_ladder("64x36 40 + aac 32", "128x72 100 + aac 32", "128x72 160 + aac 64")


# Ladders whose scenes are encoded each with its own parameters.

CUTS = (0, 40, 41, 118, 150)
"""Frames at which the scenes of `cut_film` begin, and its end."""


@pytest.fixture(scope="session")
def cut_film(make_media) -> Path:
    """6.25 s at 24 frames/s of four scenes: a moving picture, a flash of one frame, a zoom, colour bars with noise."""
    size = "size=160x90:rate=24"
    cut = "".join(
        f"[{n}:v]trim=end_frame={b - a},setpts=N/24/TB,format=yuv420p[v{n}];"
        for n, (a, b) in enumerate(itertools.pairwise(CUTS))
    )
    return make_media(
        "cut_film.mkv",
        f"lavfi:testsrc2={size}:duration=4",
        "lavfi:color=white:size=160x90:rate=24:duration=4",
        f"lavfi:mandelbrot={size}:maxiter=300,trim=duration=4",
        f"lavfi:smptebars={size}:duration=4,noise=alls=30:allf=t",
        f"lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.2*sin(2*PI*660*t)+0.05*random(0):s=48000:d={CUTS[-1] / 24}",
        *("-filter_complex", f"{cut}[v0][v1][v2][v3]concat=n=4[v]", "-map", "[v]", "-map", "4:a"),
        *(*FAST_H264, "-g", "24", "-c:a", "pcm_s16le"),
    )


WriteShotLadder = Callable[..., Path]


@pytest.fixture(scope="session")
def write_shot_ladder(tmp_path_factory) -> WriteShotLadder:
    """A maker of ladder files: `write_shot_ladder(source, "160x90 28 28 30 26 + aac 32", ...)`: per rung a size, or one
    per scene before its CRF (`96x54:28`), the CRF of every scene of `cut_film`, and an audio rendition.

    Rates of scenes are invented: 100 kbps at CRF 28, half of it six steps up. `peak_kbps` is promised. Scenes of
    another source begin at its `cuts`, frames at 24 frames/s, and end with the last.
    """

    def write(
        source: Path,
        *pairs: str,
        codec: str = "h264",
        peak_kbps: float | None = None,
        cuts: Sequence[int] = CUTS,
    ) -> Path:
        spans = [(a / 24, b / 24) for a, b in itertools.pairwise(cuts)]
        rungs, mos = [], []
        for number, pair in enumerate(pairs):
            (usual, *scenes), (audio, kbps) = (half.split() for half in pair.split("+"))
            shots = []
            for (start_s, end_s), scene in zip(spans, scenes, strict=True):
                size, _, crf = scene.rpartition(":")
                width, height = map(int, (size or usual).split("x"))
                rate = 100.0 * 2.0 ** ((28.0 - float(crf)) / 6.0) * height / 90
                target = f"crf={crf}"
                shots.append(
                    Shot(
                        **{"start_s": start_s, "end_s": end_s, "width_px": width, "height_px": height},
                        **{"target": target, "bitrate_kbps": rate, "vmaf": 80.0},
                    )
                )
            mean = sum(shot.bitrate_kbps * shot.duration_s for shot in shots) / spans[-1][1]
            video = VideoRendition(
                codec=codec,
                width_px=max(shot.width_px for shot in shots),
                height_px=max(shot.height_px for shot in shots),
                target=f"b={mean:.6g}k",
                bitrate_kbps=mean,
                shots=tuple(shots),
            )
            played = AudioRendition(codec=audio, channels=2, target=f"b={kbps}k", bitrate_kbps=float(kbps))
            mos.append(tuple(3.0 + 0.2 * number + 0.1 * n for n in range(len(shots))))
            rungs.append((video, played, 1.02 * (mean + played.bitrate_kbps), float(np.mean(mos[-1])), ""))
        made = make_ladder("cut_film", rungs, lognormal(800, 0.9, "lognormal"), (-0.3, 0.3))
        proof = ShotProof(pool="mean", objective_mos=3.0, upper_bound_mos=3.0, price_mos_per_kbps=0.0)
        ladder = replace(
            made,
            rungs=tuple(replace(r, shots_mos=m, shot_proof=proof) for r, m in zip(made.rungs, mos, strict=True)),
        )
        found = TitleLadder(ladder=ladder, num_candidates=0, crossovers=(), comparison=None)
        about = {
            "model": {"name": "attentive", "weights_sha256": ""},
            "features": {
                "source_hashes": {"cut_film": content_hash(source)},
                "titles": {"cut_film": {"fps": 24.0, "scenes_s": spans}},
            },
            "options": {"overhead": 0.02} | ({"shots": {"peak_kbps": peak_kbps}} if peak_kbps else {}),
        }
        path = tmp_path_factory.mktemp("ladder") / "shots.json"
        path.write_text(json.dumps(ladder_document([found], about)))
        return path

    return write


def _encode(*words: str | Path) -> None:
    """Run `abr-alloc encode` in this process and its threads."""
    with pytest.MonkeyPatch.context() as patch:
        work_in_threads(patch)
        patch.setattr(sys, "argv", ["abr-alloc", "encode", *map(str, words), "--jobs", "2"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code


@pytest.fixture(scope="session")
def delivered(film, film_ladder, make_once) -> Path:
    """The film as its ladder: only to be read."""
    return make_once("delivered", lambda folder: _encode(film, "--ladder", film_ladder, "-o", folder / "out")) / "out"


@pytest.fixture(scope="session")
def free_size(cut_film, write_shot_ladder, make_once) -> Path:
    """`cut_film` as a ladder of which one rung has another size in every scene: only to be read."""
    rungs = ("96x54 34 34 34 34 + aac 32", "160x90 96x54:30 30 96x54:30.5 32 + aac 64")
    words = (cut_film, "--ladder", write_shot_ladder(cut_film, *rungs), "--preset", "superfast")
    return make_once("free_size", lambda folder: _encode(*words, "-o", folder / "out")) / "out"


def work_in_threads(patch: pytest.MonkeyPatch) -> None:
    """Have what works for the command be threads of this process: no start of workers, and ViSQOL is compiled once."""
    patch.setattr("abr_alloc.workers.local.LocalWorkers._start", staticmethod(ThreadPoolExecutor))


@pytest.fixture
def in_threads(monkeypatch) -> None:
    """Work in threads of this process."""
    work_in_threads(monkeypatch)


@pytest.fixture
def few_resamples(monkeypatch) -> None:
    """Intervals rest on 20 resamples: they are tested elsewhere, and a thousand take longer than all else."""
    from abr_alloc.learning.scoring import choices, score

    for judged in (choices, score):
        monkeypatch.setitem(judged.__kwdefaults__, "resamples", 20)


def _order(name: str, kbps: float) -> VideoOrder:
    return VideoOrder(
        name=name, codec="h264", width_px=64, height_px=36, preset="fast", planned_kbps=kbps, asked_kbps=kbps
    )


@pytest.fixture
def order() -> Delivery:
    """Three rungs of two video and two audio renditions."""
    audios = [
        AudioOrder(name=f"audio/aac-{kbps}k", codec="aac", channels=2, target=f"b={kbps}k", planned_kbps=kbps)
        for kbps in (32, 64)
    ]
    rungs = [("video/a", "audio/aac-32k", 150.0, 3.0), ("video/b", "audio/aac-32k", 250.0, 3.4)]
    rungs.append(("video/b", "audio/aac-64k", 300.0, 3.6))
    return Delivery(
        title="film",
        source="../film.mp4",
        source_hash="0" * 64,
        num_frames=312,
        fps="24000/1001",
        scenes_s=((0.0, 6.5), (6.5, 13.013)),
        model="attentive",
        weights_sha256="",
        ffmpeg_version="7",
        threads=1,
        language="und",
        label="Audio",
        videos=(_order("video/a", 100.0), _order("video/b", 200.0)),
        audios=tuple(audios),
        rungs=tuple(PlannedRung(video=v, audio=a, total_kbps=kbps, avq_mos=mos) for v, a, kbps, mos in rungs),
    )
