"""`abr-alloc doctor` beside surroundings that are known."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import time
from importlib import resources
from pathlib import Path

import pytest

import abr_alloc
from abr_alloc.cli.doctor_table import size_text
from abr_alloc.cli.main import COMMANDS
from abr_alloc.media import ffmpeg as ffmpeg_door
from abr_alloc.models.audio_reading import read_version
from abr_alloc.models.checkpoint import load_model
from abr_alloc.shipped import model_names
from abr_alloc.table.table import read_features
from abr_alloc.visqol.regression import VISQOL_VERSION

ENCODERS = "libx264 libx265 libsvtav1 libvpx-vp9 libvvenc aac libopus ac3 eac3 flac libfdk_aac"


@pytest.fixture
def examine(run_command, tmp_path):
    """Exit code and JSON of a run, with a cache that is not there unless another is named."""

    def run(*words) -> tuple[int, dict]:
        words = words if "--cache" in words else (*words, "--cache", tmp_path / "none")
        outcome = run_command("doctor", "--json", *words)
        assert outcome.stderr == ""
        return outcome.code, json.loads(outcome.stdout)

    return run


@pytest.fixture
def fake_ffmpeg(tmp_path):
    """A program that answers as ffmpeg 7.1 with these encoders and filters."""

    def make(encoders: str = ENCODERS, filters: str = "scale signalstats", encodes: str = "exit 0") -> Path:
        path = tmp_path / "ffmpeg"
        rows = "\n".join(f"echo ' V..... {name} text'" for name in encoders.split())
        others = "\n".join(f"echo ' ... {name} V->V text'" for name in filters.split())
        path.write_text(
            f'#!/bin/sh\ncase "$*" in\n*-version*) echo ffmpeg version 7.1 built;;\n*-encoders*)\n{rows}\n;;\n'
            f"*-filters*)\n{others}\n;;\n*-c:[av]*) {encodes};;\n*) echo no such thing >&2; exit 1;;\nesac\n"
        )
        path.chmod(0o755)
        return path

    return make


def of(document: dict, name: str) -> dict:
    (found,) = (command for command in document["commands"] if command["name"] == name)
    return found


def test_every_command_has_a_verdict_and_all_is_well_here(examine):
    code, document = examine()
    assert code == 0
    assert [found["name"] for found in document["commands"]] == [name for name in COMMANDS if name != "doctor"]
    assert all(found["ok"] for found in document["commands"])


def test_versions_are_those_of_the_programs(examine, ffmpeg):
    _, document = examine()
    assert document["versions"] == {
        "abr_alloc": abr_alloc.__version__,
        "python": platform.python_version(),
        "ffmpeg": ffmpeg.version,
        "libvmaf": document["versions"]["libvmaf"],
        "visqol": VISQOL_VERSION,
        "optuna": importlib.metadata.version("optuna"),
    }
    assert document["ffmpeg_path"] == ffmpeg.path


def test_libvmafs_version_is_what_extraction_writes_down(examine, run_command, in_threads, clip, tiny_grid, tmp_path):
    table = tmp_path / "f.parquet"
    words = ["--grid", tiny_grid, "--cache", tmp_path / "c", "--jobs", "1", "--whole", "-o", table]
    assert run_command("extract", clip, *words).code == 0
    _, document = examine()
    assert document["versions"]["libvmaf"] == read_features(table).metadata.libvmaf_version


def test_what_ships_is_listed(examine):
    _, document = examine()
    assert [model["name"] for model in document["models"]] == model_names()
    for model in document["models"]:
        folder = Path(str(resources.files("abr_alloc.models").joinpath("weights", model["name"])))
        assert model["audio_feature_version"] == read_version(load_model(model["name"]).card)
        assert model["size_bytes"] == sum(path.stat().st_size for path in folder.iterdir())
        assert model["labels"] == load_model(model["name"]).card["labels"]
    assert "hull" in document["grids"] and "apple-hls-avc" in document["reference_ladders"]


def test_a_cache_of_known_size_is_measured_and_nothing_is_made(examine, tmp_path):
    root = tmp_path / "cache"
    for name, size in {
        "scores/ab/ab1.npz": 10,
        "scores/cd/cd2.npz": 20,
        "scores/cd/.7.x.npz": 1,
        "encodes/e": 4,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(size))
    (root / "kept" / "title").mkdir(parents=True)
    (root / "kept" / "title" / "v.mp4").write_bytes(bytes(100))
    code, document = examine("--cache", root)
    assert code == 0
    assert document["cache"] == {"path": str(root), "num_entries": 2, "size_bytes": 135, "kept_bytes": 100}
    _, document = examine("--cache", tmp_path / "none")
    assert document["cache"]["num_entries"] == document["cache"]["size_bytes"] == 0
    assert not (tmp_path / "none").exists()


def test_a_cache_under_a_file_stops_extraction(examine, tmp_path):
    (tmp_path / "file").write_text("")
    code, document = examine("--cache", tmp_path / "file" / "cache")
    assert code == 1
    assert "--cache" in of(document, "extract")["missing"][0]["next"]


def test_an_ffmpeg_without_libvmaf_stops_what_measures_only(examine, fake_ffmpeg):
    code, document = examine("--ffmpeg", fake_ffmpeg())
    assert code == 1
    assert document["versions"]["ffmpeg"] == "7.1" and document["versions"]["libvmaf"] is None
    assert [found["name"] for found in document["commands"] if not found["ok"]] == ["extract", "verify"]
    (missing,) = of(document, "extract")["missing"]
    assert missing["part"] == "extract" and "libvmaf" in missing["what"] and "--ffmpeg" in missing["next"]
    present = {encoder["name"] for encoder in document["encoders"] if encoder["present"]}
    assert present - {"fdkaac"} == {*ENCODERS.split()}


def test_a_libvmaf_that_does_not_run_is_said_so(examine, fake_ffmpeg):
    code, document = examine("--ffmpeg", fake_ffmpeg(filters="libvmaf"))
    assert code == 1
    assert "libvmaf does not run (ffmpeg failed with exit code 1: no such thing)" in str(of(document, "extract"))


def test_an_encoder_of_the_main_codecs_stops_extraction(examine, fake_ffmpeg):
    _, document = examine("--ffmpeg", fake_ffmpeg(encoders="aac"))
    assert ["extract", "no libx264"] in [[item["part"], item["what"]] for item in of(document, "extract")["missing"]]


def test_an_encoder_that_is_listed_and_fails_is_said_so_in_its_own_words(examine, fake_ffmpeg, run_command):
    said = "[libx264 @ 0x55aa] Cannot load libsomething.so.1"
    path = fake_ffmpeg(encodes=f'case "$*" in *libx264*) echo "{said}" >&2; echo more >&2; exit 1;; esac')
    code, document = examine("--ffmpeg", path)
    (x264,) = (encoder for encoder in document["encoders"] if encoder["name"] == "libx264")
    assert x264 == {
        **{"name": "libx264", "kind": "video", "codecs": ["h264"], "present": True},
        **{"state": "fails", "reason": "Cannot load libsomething.so.1"},
    }
    what = "libx264 does not run (Cannot load libsomething.so.1)"
    assert code == 1 and ["extract", what] in [[m["part"], m["what"]] for m in of(document, "extract")["missing"]]
    assert "fails: Cannot load libsomething.so.1" in run_command("doctor", "--ffmpeg", path).stdout


def test_what_runs_here_is_tried_and_hardware_stands_by_its_maker(examine, run_command):
    code, document = examine()
    states = {encoder["name"]: encoder["state"] for encoder in document["encoders"]}
    assert {states[name] for name in ("libx264", "libx265", "libsvtav1", "aac", "libopus", "ac3", "flac")} == {"runs"}
    assert states["h264_videotoolbox"] == "absent"  # of no build for Linux
    for encoder in document["encoders"]:
        assert (encoder["state"] == "fails") == bool(encoder["reason"]) and "0x" not in str(encoder["reason"])
    if states["h264_nvenc"] == "fails":
        assert "*_nvenc" in run_command("doctor").stdout
    assert code == 0


def test_an_encoder_that_only_an_option_asks_for_is_named_with_the_next_move(examine, monkeypatch, ffmpeg, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, document = examine("--ffmpeg", ffmpeg.path)
    if "libfdk_aac" in ffmpeg.encoders:
        pytest.skip("this ffmpeg has libfdk_aac")
    assert code == 0 and of(document, "extract")["ok"]
    (missing,) = of(document, "extract")["missing"]
    assert missing == {
        "part": "extract --audio-codec heaac|heaacv2",
        "what": "no libfdk_aac or fdkaac",
        "next": "apt-get install fdkaac (Debian, contrib), or give an ffmpeg with libfdk_aac by --ffmpeg or "
        "ABR_ALLOC_FFMPEG",
    }


@pytest.mark.parametrize(
    "body", [None, "exit 1", "echo hello", "echo ffmpeg version", "printf '\\377'", "exec sleep 60"]
)
def test_an_ffmpeg_that_is_missing_broken_or_hangs_is_a_result(body, examine, tmp_path, monkeypatch):
    monkeypatch.setattr(ffmpeg_door, "_ANSWER_S", 0.3)
    path = tmp_path / "ffmpeg"
    if body is not None:
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    began = time.monotonic()
    code, document = examine("--ffmpeg", path)
    assert time.monotonic() - began < 5
    assert code == 1 and document["ffmpeg_path"] is None and document["versions"]["ffmpeg"] is None
    assert [found["name"] for found in document["commands"] if not found["ok"]] == ["encode", "extract", "verify"]
    (missing,) = of(document, "extract")["missing"]
    assert "ffmpeg" in missing["what"] and "--ffmpeg" in missing["next"]


def test_an_extra_that_is_missing_is_named_with_how_to_get_it(examine, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "optuna" else find(name))
    code, document = examine()
    assert code == 0
    assert not of(document, "tune")["ok"]
    (missing,) = of(document, "tune")["missing"]
    assert (missing["what"], missing["next"]) == ("no optuna", "pip install 'abr_alloc[tune]'")


def test_the_text_says_what_the_json_says(run_command, examine, fake_ffmpeg):
    path = fake_ffmpeg(encoders="libx264 aac")
    _, document = examine("--ffmpeg", path)
    outcome = run_command("doctor", "--ffmpeg", path)
    assert (outcome.code, outcome.stderr) == (1, "")
    words = " ".join(outcome.stdout.split())
    assert f"ffmpeg is {path}" in words and "ffmpeg 7.1" in words and "libvmaf missing" in words
    assert "extract CANNOT RUN" in words and "plan ok" in words
    for item in of(document, "extract")["missing"]:
        assert f"{item['what']}; {item['next']}" in words
    for name, reads in (("attentive", "visqol"), ("attentive-listener", "listener"), ("svr-2f", "any")):
        (line,) = (line for line in outcome.stdout.splitlines() if line.startswith(f"{name} "))
        assert line.split()[-3] == reads
    assert run_command("doctor", "-q", "--ffmpeg", path).stdout == outcome.stdout


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (123456, "123 kB"), (3_200_000, "3.2 MB"), (5e15, "5000 TB")],
)
def test_sizes_are_short(size, text):
    assert size_text(size) == text
