"""Several at one cache, and files that are replaced under their names while a process lives on."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import CheckpointError, UnsupportedMediaError
from abr_alloc.measure.cache import Cache
from abr_alloc.measure.entry import open_entry, seal_entry
from abr_alloc.measure.looks import LookTask, ScanTask
from abr_alloc.media.ffmpeg import look_at_ffmpeg
from abr_alloc.models.checkpoint import load_model, save_model
from abr_alloc.runs.shared_model import shared_model
from abr_alloc.table.catalogue import open_catalogue, read_table
from abr_alloc.table.table import read_features, write_features

from ..forked_command import IN_THREADS


def test_four_processes_measure_common_sources_in_one_cache(forks, clip, make_media, tiny_grid, tmp_path):
    other = make_media("other.mkv", "-i", clip, "-t", "1.5", "-c", "copy")
    running = []
    for number in range(4):
        sources = [clip, other] if number % 2 else [other, clip]
        words = ["extract", *sources, "-o", tmp_path / f"{number}.parquet", "--grid", tiny_grid, "--jobs", "2"]
        words += ["--cache", tmp_path / "cache"]
        # Two with processes that work for them, two with threads.
        running.append(forks.start(*words, before="" if number % 2 else IN_THREADS))
    for one in running:
        _, said = one.communicate()
        assert one.returncode == 0, said
    tables = [(tmp_path / f"{number}.parquet").read_bytes() for number in range(4)]
    assert len({*tables}) == 1
    assert not [*(tmp_path / "cache" / "work").iterdir()]
    assert not [*(tmp_path / "cache" / "encodes").iterdir()]


def test_an_encode_is_not_taken_away_under_another_run(tmp_path):
    cache = Cache(tmp_path)
    with cache.encode_file("key") as (first, is_there):
        assert not is_there
        first.write_bytes(b"encode")
        cache.hand_on("key", first)
        with cache.encode_file("key") as (second, found):
            assert found and second.read_bytes() == b"encode"
        assert not [*cache.encodes.iterdir()]
        assert first.read_bytes() == b"encode"


def test_where_files_have_one_name_only_an_encode_is_copied(tmp_path, monkeypatch):
    def refuse(self, target):
        if not Path(target).exists():
            raise FileNotFoundError(2, "No such file or directory")
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    test_an_encode_is_not_taken_away_under_another_run(tmp_path)


def train_another(folder, shift):
    """The shipped model with other weights, under the same name."""
    model = load_model("svr-2f")
    shutil.rmtree(folder, ignore_errors=True)
    card = {name: value for name, value in model.card.items() if name not in ("weights_sha256", "name")}
    save_model(folder, model.predictor, card | {"difference_mos": model.intervals.difference_mos + shift})


def test_a_model_that_is_replaced_under_its_name_is_loaded_again(tmp_path):
    folder = tmp_path / "mine"
    train_another(folder, 0.0)
    first = shared_model(str(folder))
    assert shared_model(str(folder)) is first
    train_another(folder, 0.1)
    second = shared_model(str(folder))
    assert second.intervals.difference_mos == pytest.approx(first.intervals.difference_mos + 0.1)
    with pytest.raises(CheckpointError, match="not the one with which the run began"):
        shared_model(str(folder), first.sha256)


def test_a_program_that_is_replaced_under_its_name_is_asked_again(tmp_path):
    program = tmp_path / "ffmpeg"
    versions = []
    for version in ("7.0", "7.11"):
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\necho ffmpeg version {version} x y\n")
        program.chmod(0o755)
        versions.append(look_at_ffmpeg(str(program)).version)
    assert versions == ["7.0", "7.11"]


def test_a_table_that_changes_while_it_is_read_is_refused(example, tmp_path):
    path = tmp_path / "t.parquet"
    shutil.copy(example, path)
    (chunk,) = open_catalogue(path).chunks
    table = read_features(path)
    write_features(replace(table, frame=table.frame[table.frame["scene"] == 0].reset_index(drop=True)), path)
    with pytest.raises(Exception, match="changed while it was read; run again"):
        read_table(chunk)


def test_a_source_that_changes_while_it_is_measured_is_refused(clip, ffmpeg, tmp_path):
    source, cache = tmp_path / "film.mp4", Cache(tmp_path / "cache")
    shutil.copy(clip, source)
    title = LookTask(name="film", path=source, ffmpeg=ffmpeg).run(cache)
    scan = ScanTask(ffmpeg=ffmpeg, info=title.info, source_hash=title.source_hash)
    os.utime(source, ns=(0, 0))
    with pytest.raises(UnsupportedMediaError, match="changed while it was measured"):
        scan.run(cache)
    assert cache.get(scan.key) is None


ENTRY = {"values": np.arange(14.0).reshape(2, 7), "size_bytes": np.array([10.0, 20.0])}


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {"values": found["values"]},
        lambda found: found | {"size_bytes": found["size_bytes"] * 1e6},
        lambda found: found | {"size_bytes": found["size_bytes"][:1]},
        lambda found: found | {"values": found["values"][:, :3]},
        lambda found: {},
    ],
    ids=["an array is missing", "other numbers", "shorter", "narrower", "nothing"],
)
def test_an_entry_with_other_content_is_none(change, tmp_path):
    cache = Cache(tmp_path)
    cache.put("key", ENTRY)
    (path,) = tmp_path.glob("scores/*/*.npz")
    with np.load(path) as found:  # it stays a file that NumPy opens
        changed = change(dict(found))
    np.savez_compressed(path, **changed)
    assert cache.get("key") is None


def test_an_entry_is_its_keys_own():
    sealed = seal_entry("a", ENTRY)
    assert open_entry("a", sealed).keys() == ENTRY.keys()
    assert open_entry("b", sealed) is None
    for at in range(0, len(sealed), 7):
        assert open_entry("a", sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) is None
        assert open_entry("a", sealed[:at]) is None
