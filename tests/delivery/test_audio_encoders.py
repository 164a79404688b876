"""Audio encoders from the grid to the delivered stream: what was probed is what is encoded, said once."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.formats.delivery_record import read_delivery
from abr_alloc.media.cmaf import read_segments
from abr_alloc.media.packets import read_packets
from abr_alloc.media.segments import join_segments
from abr_alloc.models.audio_quality import AUDIO_QUALITY, TRANSPARENT_MOS
from abr_alloc.table.table import read_features, write_features

NEEDS_FDKAAC = shutil.which("fdkaac") is None
GRID = """
[video]
[video.crf]
h264 = [24, 44]
[audio]
ac3 = ["96k"]
flac = ["lossless"]
[encoders.opus-long]
codec = "opus"
args = ["-application", "audio", "-frame_duration", "40", "-vbr", "off"]
rates = ["32k"]
"""
FDK = '[encoders.fdk]\ncodec = "aac"\nencoder = "libfdk_aac"\nrates = ["48k"]\n'


@pytest.fixture(scope="module")
def probed(make_media, tmp_path_factory):
    """A film of 2 s and its table, by a grid with audio of every kind."""
    from abr_alloc import extract

    folder = tmp_path_factory.mktemp("probed")
    film = make_media(
        "sounds.mkv",
        "lavfi:testsrc2=size=96x64:rate=12:duration=2",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)+0.1*random(0)|0.2*sin(2*PI*660*t)+0.1*random(1):s=48000:d=2",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    )
    grid = folder / "grid.toml"
    grid.write_text(GRID + ("" if NEEDS_FDKAAC else FDK))
    table = folder / "features.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("abr_alloc.workers.local.LocalWorkers._start", staticmethod(ThreadPoolExecutor))
        write_features(extract(film, grid=grid, detect_scenes=False, cache=folder / "cache", jobs=1), table)
    return film, table


def designed(table: Path, codec: str, run_command, folder: Path) -> Path:
    ladder = folder / f"{codec}.json"
    words = ["--rungs", "1", "--audio-codec", codec, "-o", ladder]
    outcome = run_command("ladder", table, *words)
    assert outcome.code == 0, outcome.stderr
    return ladder


def test_the_table_says_what_its_audio_was_made_with(probed) -> None:
    rows = read_features(probed[1])
    audio = rows.of_kind("audio")
    targets = {"b=96k", "lossless", "b=32k@opus-long"} | (set() if NEEDS_FDKAAC else {"b=48k@fdk"})
    assert {*audio["target"]} == targets
    assert rows.metadata.encoders["opus-long"] == {
        "codec": "opus",
        "encoder": "libopus",
        "args": ["-application", "audio", "-frame_duration", "40", "-vbr", "off"],
    }
    lossless = audio[audio["codec"] == "flac"].iloc[0]
    assert lossless["visqol_mos"] == audio["visqol_mos"].max() and lossless["bitrate_kbps"] > 500


@pytest.mark.parametrize("codec", ["opus", "ac3", "flac", "aac"])
def test_a_ladder_is_delivered_with_the_encoders_it_was_probed_with(codec, probed, run_command, in_threads, tmp_path):
    if codec == "aac" and NEEDS_FDKAAC:
        pytest.skip("the fdkaac program is not installed")
    film, table = probed
    ladder, folder = designed(table, codec, run_command, tmp_path), tmp_path / "out"
    outcome = run_command("encode", film, "--ladder", ladder, "-o", folder, "--jobs", "1")
    assert outcome.code == 0, outcome.stderr
    (name,) = (path.name for path in (folder / "audio").iterdir())
    assert name == {"opus": "opus-long-32k", "ac3": "ac3-96k", "flac": "flac", "aac": "aac-fdk-48k"}[codec]
    assert [*read_delivery(folder / "delivery.json").encoders] == {"opus": ["opus-long"], "aac": ["fdk"]}.get(codec, [])
    first = read_segments(folder / "audio" / name)[0]
    assert first.codec == codec and (first.start, first.codecs) == {
        "opus": (-312, "opus"), "ac3": (-256, "ac-3"), "flac": (0, "fLaC"), "aac": (-2048, "mp4a.40.2")
    }[codec]  # fmt: skip
    join_segments(folder / "audio" / name, tmp_path / "joined.mp4")
    packets = read_packets(tmp_path / "joined.mp4")
    if codec == "opus":  # 40 ms at a constant rate, as the grid says and ffmpeg's default does not
        assert np.allclose(packets.duration_s[:-1], 0.040) and len({*packets.size_bytes[:-1]}) == 1
    said = (folder / "master.m3u8").read_text()
    assert f",{first.codecs}" in said and 'CHANNELS="2"' in said
    outcome = run_command("verify", folder, "--jobs", "1", "--tolerance", "rate=0.5,avq=0.3")
    assert outcome.code == 0, outcome.stdout + outcome.stderr


def test_lossless_audio_is_a_reference_and_in_no_ladder_unasked(probed, run_command, tmp_path):
    _, table = probed
    outcome = run_command("ladder", table, "--rungs", "1", "-o", tmp_path / "any.json")
    assert outcome.code == 0, outcome.stderr
    document = json.loads((tmp_path / "any.json").read_text())
    assert document["ladders"][0]["rungs"][0]["audio"]["codec"] != "flac"
    plan = run_command("plan", table, "--budget", "20M", "--json")
    assert '"flac"' not in plan.stdout and plan.code == 0
    refused = run_command("ladder", table, "--audio-codec", "flac", "--audio-codec", "ac3")
    assert refused.code != 0 and "--audio-codec flac is a reference, chosen for itself alone" in refused.error_line()


def test_a_ladder_file_without_the_encoders_settings_is_refused_before_any_work(probed, run_command, tmp_path):
    film, table = probed
    ladder = designed(table, "opus", run_command, tmp_path)
    document = json.loads(ladder.read_text())
    del document["features"]["encoders"]["opus-long"]
    ladder.write_text(json.dumps(document))
    refused = run_command("encode", film, "--ladder", ladder, "-o", tmp_path / "out")
    assert refused.code != 0 and "'b=32k@opus-long'" in refused.error_line() and not (tmp_path / "out").exists()
    document["features"]["encoders"]["opus-long"] = {"codec": "opus", "args": ["-af", "volume=9"]}
    ladder.write_text(json.dumps(document))
    refused = run_command("encode", film, "--ladder", ladder, "-o", tmp_path / "out")
    assert refused.code != 0 and "'-af' is a filter" in refused.error_line()


def test_a_lossless_row_has_the_quality_of_transparent_audio(probed) -> None:
    from abr_alloc.allocation.surface import build_surfaces
    from abr_alloc.models.checkpoint import load_model

    (surface,) = build_surfaces(read_features(probed[1]), load_model("attentive"))
    (lossless,) = (audio for audio in surface.audio if audio.codec == "flac")
    assert lossless.quality_mos == pytest.approx(TRANSPARENT_MOS)
    assert lossless.quality_mos >= max(a.quality_mos for a in surface.audio) - 1e-9, AUDIO_QUALITY
