"""The cache: entries are whole or not there, and what dead processes leave goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from abr_alloc.errors import OutputError
from abr_alloc.measure.cache import Cache, cache_key, default_cache_dir
from abr_alloc.partial import owner_name

ARRAYS = {
    "values": np.random.default_rng(1).normal(size=(20, 8)),
    "num_frames": np.array(20),
    "libvmaf_version": np.array("3.0.0"),
}
KEY = cache_key(kind="video", source="abc")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture(scope="module")
def dead_pid() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_is_put_is_got(cache):
    assert not cache.has(KEY)
    assert cache.get(KEY) is None
    cache.put(KEY, ARRAYS)
    assert cache.has(KEY)
    got = cache.get(KEY)
    assert got.keys() == ARRAYS.keys()
    assert all(np.array_equal(got[name], ARRAYS[name]) for name in ARRAYS)


def test_an_entry_is_one_file_and_nothing_beside_it(cache):
    cache.put(KEY, ARRAYS)
    cache.put(KEY, ARRAYS)
    assert len(files_below(cache.root)) == 1


def test_a_second_look_at_the_folder_finds_the_entry(cache):
    cache.put(KEY, ARRAYS)
    assert Cache(cache.root).has(KEY)


def test_a_key_depends_on_every_fact_and_on_nothing_else():
    assert cache_key(a=1, b=[1.5]) == cache_key(b=[1.5], a=1)
    keys = {cache_key(a=1, b=2), cache_key(a=2, b=1), cache_key(a=1), cache_key(a="1"), cache_key(a=1, b=None)}
    assert len(keys) == 5


def test_an_entry_cut_anywhere_counts_as_none(cache):
    cache.put(KEY, ARRAYS)
    (path,) = files_below(cache.root)
    whole = path.read_bytes()
    for length in range(0, len(whole), 29):
        path.write_bytes(whole[:length])
        assert cache.get(KEY) is None
        assert not cache.has(KEY)


def test_a_damaged_entry_never_passes_for_another(cache):
    cache.put(KEY, ARRAYS)
    (path,) = files_below(cache.root)
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        got = cache.get(KEY)
        same = got is not None and all(np.array_equal(got[name], ARRAYS[name]) for name in got.keys() & ARRAYS.keys())
        assert got is None or same, position


def test_a_damaged_entry_can_be_put_again(cache):
    cache.put(KEY, ARRAYS)
    (path,) = files_below(cache.root)
    path.write_bytes(b"damaged")
    cache.put(KEY, ARRAYS)
    assert np.array_equal(cache.get(KEY)["values"], ARRAYS["values"])


def test_a_work_folder_goes_with_its_block(cache):
    with cache.work_dir() as folder:
        (folder / "log.txt").write_text("x")
        assert folder.parent.parent == cache.root
    assert not folder.exists()


def test_a_work_folder_goes_when_its_block_fails(cache):
    with pytest.raises(RuntimeError), cache.work_dir() as folder:
        (folder / "log.txt").write_text("x")
        raise RuntimeError
    assert not folder.exists()


def leave_behind(cache: Cache, pid: int | str, host: str = owner_name().partition("~")[0]) -> list[Path]:
    """What a process that was killed leaves: a work folder, half an encode, half an entry."""
    whose = f"{host}~{pid}~1"
    folder = cache.root / "work" / f"{whose}.abc"
    folder.mkdir()
    paths = [folder / "audio.s16", cache.encodes / f".{whose}.{KEY}.mp4", cache.root / "scores" / "ab" / f".{whose}.x"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    return paths


def test_leftovers_of_the_dead_are_removed(cache, dead_pid):
    cache.put(KEY, ARRAYS)
    whole_encode = cache.encodes / f"{KEY}.mp4"
    whole_encode.write_text("whole")
    left = leave_behind(cache, dead_pid) + leave_behind(cache, "nobody")
    cache.remove_leftovers()
    assert not any(path.exists() for path in left)
    assert list((cache.root / "work").iterdir()) == []
    assert whole_encode.exists()
    assert cache.has(KEY)


def test_leftovers_of_the_living_are_kept(cache):
    left = leave_behind(cache, os.getpid()) + leave_behind(cache, 1)  # process 1 lives, and may be another user's
    cache.remove_leftovers()
    assert all(path.exists() for path in left)


def test_leftovers_of_another_machine_are_kept(cache, dead_pid):
    """Whether its processes live cannot be seen from here, and a cache may be shared."""
    left = leave_behind(cache, dead_pid, host="other-machine")
    cache.remove_leftovers()
    assert all(path.exists() for path in left)


def test_an_encode_that_nobody_came_back_for_is_removed(cache):
    """A whole encode serves a run that is resumed within days, and takes room after that."""
    young, old = cache.encodes / "young.mp4", cache.encodes / "old.mp4"
    for path in (young, old):
        path.write_text("whole")
    os.utime(old, (0, 0))
    cache.remove_leftovers()
    assert young.exists()
    assert not old.exists()


def test_a_stray_file_does_not_stop_the_tidying(cache, dead_pid):
    """File browsers leave files such as .DS_Store anywhere."""
    for folder in (cache.root / "work", cache.encodes, cache.root / "scores"):
        (folder / ".DS_Store").write_text("x")
    left = leave_behind(cache, dead_pid)
    cache.remove_leftovers()
    assert not any(path.exists() for path in left)


def test_the_place_is_named_by_the_environment_first(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("ABR_ALLOC_CACHE", str(tmp_path / "own"))
    assert default_cache_dir() == tmp_path / "own"
    monkeypatch.delenv("ABR_ALLOC_CACHE")
    assert default_cache_dir() == tmp_path / "xdg" / "abr-alloc"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "abr-alloc"


def test_a_place_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another with `cache`"):
        Cache(tmp_path / "file" / "cache")


def test_an_entry_that_cannot_be_written_is_an_error(cache, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left on device"):
        cache.put(KEY, ARRAYS)
    assert not cache.has(KEY)
