"""What the cache keeps of a stream, whoever measured it: its keys, and entries of which rows are made."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from abr_alloc.encoders import AudioEncoder, default_encoder
from abr_alloc.measure.rows import audio_row, to_frame, video_row
from abr_alloc.measure.tasks import AudioTask, audio_score_key, packet_times, video_entry
from abr_alloc.measure.video import FRAME_METRICS, FrameScores
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.packets import Packets
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.scenes import Scene

SCENE = Scene(title="t", index=0, start_s=0.0, end_s=1.0)


def test_a_score_is_kept_under_the_stream_the_scene_and_the_features() -> None:
    key = audio_score_key("e", SCENE, "1")
    assert key == "4f35d3f834384205a8d64066a6f6f1b95beabdc6", "another key measures every cache anew"
    later = Scene(title="t", index=0, start_s=0.5, end_s=1.0)
    others = {audio_score_key("f", SCENE, "1"), audio_score_key("e", later, "1"), audio_score_key("e", SCENE, "2")}
    assert len({key} | others) == 4
    assert audio_score_key("e", Scene(title="u", index=3, start_s=1e-9, end_s=1.0), "1") == key, "not its name"


def test_rows_are_made_of_the_entries() -> None:
    scores = FrameScores(values=np.full((10, len(FRAME_METRICS)), 0.5), libvmaf_version="3")
    target = VideoTarget(codec="h264", width_px=640, height_px=360, target="crf=28", encoder=default_encoder("h264"))
    info = SimpleNamespace(fps=Fraction(10), dynamic_range="SDR")
    entry = video_entry(scores, np.full(10, 1000.0))
    assert str(entry["libvmaf_version"]) == "3"
    row = video_row(info, target, SCENE, entry)  # type: ignore[arg-type]
    assert row["bitrate_kbps"] == pytest.approx(80.0) and row["adm2"] == 0.5
    packets = Packets(start_s=np.array([0.0, 0.5]), duration_s=np.full(2, 0.5), size_bytes=np.array([1000.0, 3000.0]))
    sound = AudioTarget(codec="aac", channels=2, target="b=32k")
    found = {"visqol_mos": 4.0, "audio_mos": 4.0, "audio_features": np.zeros(512)}
    assert audio_row(sound, SCENE, packet_times(packets), found)["bitrate_kbps"] == pytest.approx(32.0)


def test_a_listeners_row_has_a_spread_and_no_visqol() -> None:
    packets = Packets(start_s=np.array([0.0]), duration_s=np.ones(1), size_bytes=np.array([4000.0]))
    sound = AudioTarget(codec="aac", channels=2, target="b=32k")
    found = {"audio_mos": 4.0, "audio_spread_mos": 0.3, "audio_features": np.zeros(512)}
    row = audio_row(sound, SCENE, packet_times(packets), found)
    assert (row["audio_mos"], row["audio_spread_mos"], "visqol_mos" in row) == (4.0, 0.3, False)
    assert {"visqol_mos", "audio_spread_mos"} & {*to_frame([row])} == {"audio_spread_mos"}
    old = {**row, "visqol_mos": 4.0}
    del old["audio_spread_mos"]
    assert {"visqol_mos", "audio_spread_mos"} & {*to_frame([old])} == {"visqol_mos"}


def test_an_audio_encode_is_kept_under_its_encoders_settings_but_not_its_name(ffmpeg) -> None:
    """What was measured by a codec's usual encoder before grids named others still counts, but for fdkaac's, which was
    told other lead-ins."""
    info = MediaInfo(
        **{"path": Path("x.mkv"), "duration_s": 1.0, "width_px": 0, "height_px": 0, "fps": Fraction(0), "bit_depth": 8},
        **{"interlaced": False, "channels": 2, "sample_rate_hz": 48_000},
    )
    task = AudioTask(
        **{"ffmpeg": replace(ffmpeg, version="9", encoders=frozenset()), "info": info, "source_hash": "s"},
        **{"targets": (), "part": Part.whole(25), "start_s": 0.0, "duration_s": 1.0, "scenes": ()},
        **{"scan_key": "", "family": "visqol", "keep_encode": False},
    )

    def key(codec: str, target: str, **settings) -> str:
        encoder = AudioEncoder(codec=codec, **settings) if settings else None
        return task.encode_key(AudioTarget(codec=codec, channels=2, target=target, encoder=encoder))

    assert key("aac", "b=32k") == "4d06cad0b3a0ab2e2a30b557957ae097b8179fb8", "another key measures every cache anew"
    mine = key("opus", "b=32k@a", name="a", encoder="libopus", args=("-vbr", "off"))
    assert mine == key("opus", "b=32k@b", name="b", encoder="libopus", args=("-vbr", "off"))
    others = {key("opus", "b=32k"), key("opus", "b=32k@a", name="a", encoder="libopus", args=("-vbr", "on"))}
    others |= {key("opus", "b=32k@a", name="a", command=("x", "{kbps}"), program_sha256=sha) for sha in ("1", "2")}
    others |= {key("aac", "b=32k@f", name="f", encoder="libfdk_aac"), key("heaac", "b=32k"), key("flac", "lossless")}
    assert len({mine} | others) == 8
