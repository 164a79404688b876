"""Renditions made by bare ffmpeg commands, measured end to end: each rightly, or refused with its reason.

What is changed without loss must give the scores of what was not changed, number by number.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.extract import ExtractOptions, extract
from abr_alloc.measure.renditions import FailedRendition, MeasureOptions, Rendition, measure_renditions
from abr_alloc.media.grid import load_grid
from abr_alloc.media.streams import read_streams
from abr_alloc.table.table import FeatureTable
from abr_alloc.workers.local import LocalWorkers

FPS = 24
PICTURE = f"lavfi:testsrc2=size=192x108:rate={FPS}:duration=3"
SOUND = (
    "lavfi:aevalsrc='0.3*sin(2*PI*(200+150*t)*t)+0.1*sin(2*PI*2000*t)*sin(9*t*t)'"
    "|'0.3*sin(2*PI*(200+150*t)*t)':s=48000:d=3"
)
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")
CODED = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "32", "-pix_fmt", "yuv420p")
TAGS = "hue=s=0.4,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


@dataclass(frozen=True)
class Measured:
    table: FeatureTable | None
    failed: dict[str, str]

    def rows(self, label: str, kind: str = "video"):
        frame = self.table.frame
        found = frame[(frame["target"] == label) & (frame["kind"] == kind)]
        assert len(found), f"{label} was not measured: {self.failed}"
        return found.reset_index(drop=True)

    def facts(self, label: str, kind: str = "video"):
        return self.table.metadata.renditions["film"][label][kind]

    def notes(self, label: str, kind: str = "video") -> str:
        return "; ".join(self.facts(label, kind)["notes"])


def run(source: Path, paths: list[Path], ffmpeg, cache: Cache, **options) -> Measured:
    asked = [
        Rendition(path=path, kind=stream.kind, label=path.stem, where=str(path))
        for path in paths
        for stream in read_streams(path)
    ]
    with LocalWorkers(2) as workers:
        steps = list(measure_renditions("film", source, asked, ffmpeg, cache, MeasureOptions(**options), workers))
    failed = {step.rendition.label: str(step.error) for step in steps if isinstance(step, FailedRendition)}
    tables = [step for step in steps if isinstance(step, FeatureTable)]
    return Measured(table=tables[0] if tables else None, failed=failed)


@pytest.fixture(scope="module")
def film(make_media) -> Path:
    return make_media("film.mkv", PICTURE, SOUND, "-vf", TAGS, *LOSSLESS, "-c:a", "flac")


@pytest.fixture(scope="module")
def base(make_media, film) -> Path:
    """A lossy rendition; the others are made of it without further loss."""
    return make_media("base.mp4", "-i", film, "-an", "-vf", "scale=128:72", *CODED)


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    return Cache(tmp_path_factory.mktemp("measured") / "cache")


@pytest.fixture(scope="module")
def measured(make_media, film, base, ffmpeg, cache) -> Measured:
    def of_base(name: str, chain: str, *options: str) -> Path:
        return make_media(name, "-i", base, "-vf", chain, *LOSSLESS, *options)

    def of_film(name: str, chain: str, *options: str) -> Path:
        return make_media(name, "-i", film, "-an", "-vf", f"{chain},scale=128:72", *CODED, *options)

    full = "scale=in_range=tv:out_range=pc:flags=accurate_rnd+bicubic,setparams=range=pc"
    to_601 = "scale=in_color_matrix=bt709:out_color_matrix=bt601:flags=accurate_rnd+full_chroma_int+bicubic"
    says_601 = "setparams=colorspace=smpte170m:color_primaries=smpte170m:color_trc=smpte170m"
    other = make_media("other.mp4", f"lavfi:mandelbrot=size=128x72:rate={FPS}", "-t", "3", *CODED)
    return run(
        film,
        [
            base,
            make_media("base_ts.ts", "-i", base, "-c", "copy"),
            make_media("base_mkv.mkv", "-i", base, "-c", "copy"),
            of_base("ahead.mp4", "tpad=start=2:color=gray"),
            of_base("behind.mp4", "tpad=stop=4:stop_mode=clone"),
            of_base("trimmed.mp4", "trim=start_frame=12,setpts=PTS-STARTPTS"),
            of_base("half.mp4", "select='not(mod(n,2))',setpts=N/12/TB", "-r", "12"),
            of_base("twice.mp4", "select='not(mod(n,2))',setpts=N/12/TB,fps=24"),
            of_base("clock.mp4", "setpts=N*1001/24000/TB", "-r", "24000/1001"),
            of_base("full.mp4", full, "-color_range", "pc"),
            of_base("matrix.mp4", f"{to_601},{says_601}", "-colorspace", "smpte170m"),
            make_media("lies.mp4", "-i", base, "-c", "copy", "-bsf:v", "h264_metadata=matrix_coefficients=6"),
            make_media(
                "untold.mp4",
                "-i",
                of_base("full.mp4", full, "-color_range", "pc"),
                "-c",
                "copy",
                *("-bsf:v", "h264_metadata=video_full_range_flag=0"),
            ),
            of_film("cropped.mp4", "crop=iw*0.92:ih*0.92"),
            of_film("pillars.mp4", "scale=144:108,pad=192:108:24:0,setsar=1"),
            of_film("letterbox.mp4", "drawbox=h=14:t=fill:c=black,drawbox=y=94:h=14:t=fill:c=black"),
            of_film("brighter.mp4", "eq=brightness=0.06"),
            of_film("converted.mp4", "fps=20"),
            of_film("mixed.mp4", "tmix=frames=2,fps=12"),
            of_film("gap.mp4", "select='not(eq(n,40))',setpts=N/24/TB"),
            of_film("short.mp4", "trim=end_frame=40"),
            make_media("long.mp4", "-stream_loop", "5", "-i", base, "-c", "copy"),
            make_media("interlaced.mp4", "-i", film, "-an", "-vf", "interlace", *CODED, "-flags", "+ildct+ilme"),
            other,
            make_media("muxed.mp4", "-i", film, "-vf", "scale=128:72", *CODED, "-c:a", "aac", "-b:a", "96k"),
            make_media("late.mp4", "-i", film, "-vn", "-af", "adelay=300:all=1", "-c:a", "aac", "-b:a", "96k"),
            make_media("mono.mp4", "-i", film, "-vn", "-ac", "1", "-c:a", "aac", "-b:a", "64k"),
            make_media("noise.mp4", "lavfi:anoisesrc=d=3:r=48000:seed=5", "-c:a", "aac", "-b:a", "64k"),
            make_media("six.mp4", "-i", film, "-vn", "-af", "pan=5.1|c0=c0|c1=c1", "-c:a", "aac", "-b:a", "128k"),
        ],
        ffmpeg,
        cache,
    )


@pytest.mark.parametrize("label", ["base_ts", "base_mkv", "ahead", "behind", "clock"])
def test_what_changes_no_picture_changes_no_score(measured, label):
    plain, other = measured.rows("base"), measured.rows(label)
    for column in ("vmaf", "adm2", "motion2", "vif_scale0", "vif_scale3"):
        np.testing.assert_allclose(other[column], plain[column], rtol=0, atol=1e-9)
    assert measured.facts(label)["offset_frames"] == {"ahead": -2}.get(label, 0)


@pytest.mark.parametrize(("label", "close"), [("full", 0.2), ("matrix", 1.0)])
def test_other_samples_are_converted(measured, label, close):
    assert abs(measured.rows(label)["vmaf"].iloc[0] - measured.rows("base")["vmaf"].iloc[0]) < close
    assert "is converted to" in measured.notes(label)


def test_a_trimmed_start_is_found_and_told(measured):
    assert measured.facts("trimmed")["offset_frames"] == 12
    assert "12 frames (0.500 s) after its source" in measured.notes("trimmed")
    assert abs(measured.rows("trimmed")["vmaf"].iloc[0] - measured.rows("base")["vmaf"].iloc[0]) < 3


def test_half_seconds_are_those_of_scenes_that_are_there_whole(measured):
    def kbit(label):
        return measured.rows(label)["half_second_kbit"]

    rows = measured.rows("base")
    bits = [float(numbers.sum(dtype=float)) for numbers in kbit("base")]
    assert bits == pytest.approx((rows["bitrate_kbps"] * (rows["end_s"] - rows["start_s"])).tolist(), rel=1e-6)
    assert kbit("trimmed").iloc[0] is None, "its first half second is not the scene's"


def test_half_the_frames_are_scored_as_they_are_held(measured):
    """Coded as half the rate, or as every frame twice: a viewer sees the same."""
    half, twice, plain = (measured.rows(label)["vmaf"].iloc[0] for label in ("half", "twice", "base"))
    assert half == pytest.approx(twice, abs=1e-6)
    assert half < plain - 1
    assert "shown for 2" in measured.notes("half")


def test_rates_are_by_the_clock_of_the_source(measured):
    seconds = measured.rows("clock")["end_s"].max()
    assert seconds == pytest.approx(3.0)
    assert measured.rows("clock")["bitrate_kbps"].mean() == pytest.approx(
        measured.rows("behind")["bitrate_kbps"].mean(), rel=0.02
    )


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("lies", "says that its colour matrix is bt601"),
        ("untold", "are in full range"),
        ("cropped", "cropped by"),
        ("pillars", "black bar at the left"),
        ("letterbox", "black bar at the top"),
        ("brighter", "levels are not the source's"),
        ("converted", "runs at 20 fps and its source at 24"),
        ("gap", "show another moment"),
        ("short", "lacks 32 frames (1.33 s) of its source at the end"),
        ("long", "longer by"),
        ("interlaced", "is interlaced"),
        ("other", "not of this source"),
        ("noise", "not of this source"),
        ("six", "6 channels"),
    ],
)
def test_what_cannot_be_held_against_the_source_is_refused(measured, label, reason):
    assert reason in measured.failed[label]
    assert "\n" not in measured.failed[label]


def test_nothing_else_is_refused(measured):
    allowed = {"mixed"}  # told below
    assert set(measured.failed) - allowed == {
        "lies", "untold", "cropped", "pillars", "letterbox", "brighter", "converted", "gap", "short", "long",
        "interlaced", "other", "noise", "six",
    }  # fmt: skip


def test_sound_is_placed_to_the_sample(measured):
    assert measured.facts("late", "audio")["offset_s"] == pytest.approx(0.3, abs=1 / 48000)
    late, plain = (measured.rows(label, "audio")["audio_mos"].mean() for label in ("late", "muxed"))
    assert late == pytest.approx(plain, abs=0.15)
    assert measured.rows("mono", "audio")["channels"].tolist() == [1] * len(measured.rows("mono", "audio"))


def test_own_encodes_measure_as_they_were_extracted(film, ffmpeg, tiny_grid, tmp_path):
    cache = Cache(tmp_path / "cache")
    options = ExtractOptions(grid=load_grid(str(tiny_grid)), keep_encodes=True)
    with LocalWorkers(2) as workers:
        own = next(s for s in extract([film], ffmpeg, cache, options, workers) if isinstance(s, FeatureTable))
    kept = sorted((cache.root / "kept").rglob("*.mp4"))
    again = run(film, kept, ffmpeg, Cache(tmp_path / "other"))
    assert not again.failed
    assert len(again.table.frame) == len(own.frame)
    keys = ["scene", "kind", "codec", "width_px"]
    for (_, one), (_, other) in zip(
        own.frame.sort_values(keys).iterrows(), again.table.frame.sort_values(keys).iterrows(), strict=True
    ):
        for column in own.frame.columns.drop(["title", "target", "kind", "codec"]):
            if column in ("audio_features", "half_second_kbit"):
                assert (one[column] is None) == (other[column] is None)
                if one[column] is not None:
                    np.testing.assert_allclose(one[column], other[column], rtol=0, atol=1e-6)
            elif not pd.isna(one[column]):
                assert float(one[column]) == pytest.approx(float(other[column]), abs=1e-6), column


def test_a_second_run_measures_nothing_again(film, base, ffmpeg, cache, measured):
    before = {path: path.stat().st_mtime_ns for path in cache.root.rglob("*.npz")}
    assert run(film, [base], ffmpeg, cache).rows("base")["vmaf"].equals(measured.rows("base")["vmaf"])
    assert {path: path.stat().st_mtime_ns for path in cache.root.rglob("*.npz")} == before


def test_a_codec_that_no_table_knows_is_named(make_media, film):
    path = make_media("old.mp3", "-i", film, "-vn", "-c:a", "libmp3lame", "-b:a", "64k")
    with pytest.raises(UnsupportedMediaError, match="audio codec mp3 is not one that the model knows"):
        read_streams(path)
