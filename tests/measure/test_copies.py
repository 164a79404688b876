"""Local copies of remote sources: whole, made once, and kept as long as somebody reads them."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from abr_alloc.errors import MediaError, UnsupportedMediaError
from abr_alloc.measure import copies
from abr_alloc.measure.copies import local_copy, remove_old_copies
from abr_alloc.writing import write_bytes


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "copies"


@pytest.fixture
def source(bucket) -> Path:
    place = bucket / "films" / "film.mp4"
    write_bytes(place, b"a film")
    return place


@pytest.fixture
def fetched(monkeypatch) -> list[Path]:
    """What was fetched."""
    seen = []
    real = copies.fetch

    def fetch(path, target):
        seen.append(path)
        real(path, target)

    monkeypatch.setattr(copies, "fetch", fetch)
    return seen


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_file_of_this_machine_is_its_own_copy(tmp_path, folder):
    with local_copy(tmp_path / "film.mp4", folder) as path:
        assert path == tmp_path / "film.mp4"
    assert not folder.exists()


def test_a_copy_has_the_sources_name_and_bytes_and_is_made_once(source, folder, fetched):
    for _ in range(2):
        with local_copy(source, folder) as path:
            assert path.name == "film.mp4"
            assert path.read_bytes() == b"a film"
            assert files_below(folder) == [path]
    assert len(fetched) == 1


def test_many_that_ask_at_once_wait_for_one_copy(source, folder, fetched, monkeypatch):
    real = copies.fetch

    def fetch(path, target):
        time.sleep(0.1)  # so that all the others come meanwhile
        real(path, target)

    monkeypatch.setattr(copies, "fetch", fetch)

    def read(_: int) -> bytes:
        with local_copy(source, folder) as path:
            return path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(16))) == {b"a film"}
    assert len(fetched) == 1


def test_a_copy_that_another_process_made_meanwhile_is_taken(source, folder, fetched, monkeypatch):
    real = copies._locked

    def locked(home, how):
        if how == fcntl.LOCK_EX:  # while this process waited for it
            home.mkdir(parents=True, exist_ok=True)
            (home / source.name).write_bytes(b"a film")
        return real(home, how)

    monkeypatch.setattr(copies, "_locked", locked)
    with local_copy(source, folder) as path:
        assert path.read_bytes() == b"a film"
    assert fetched == []


def test_a_source_that_changed_gets_another_copy(source, folder):
    with local_copy(source, folder) as before:
        write_bytes(source, b"b film")
        with local_copy(source, folder) as after:
            assert before.read_bytes() == b"a film"
            assert after.read_bytes() == b"b film"


def test_a_source_that_changes_while_it_is_copied_is_refused(source, folder, monkeypatch):
    real = copies.fetch

    def fetch(path, target):
        real(path, target)
        write_bytes(source, b"c film")

    monkeypatch.setattr(copies, "fetch", fetch)
    with pytest.raises(MediaError, match="changed while it was copied"), local_copy(source, folder):
        pass
    assert files_below(folder) == []


def test_a_copy_that_broke_off_leaves_nothing(source, folder, monkeypatch):
    def fetch(path, target):
        target.write_bytes(b"a fi")
        raise OSError(5, "connection lost")

    monkeypatch.setattr(copies, "fetch", fetch)
    with pytest.raises(MediaError, match=r"s3://.*film\.mp4 cannot be copied to .*: connection lost"):
        local_copy(source, folder).__enter__()
    assert files_below(folder) == []


def test_a_source_that_is_not_there_is_named(source, folder):
    with pytest.raises(UnsupportedMediaError, match=r"films/none\.mp4 does not exist"):
        local_copy(source.with_name("none.mp4"), folder).__enter__()


def test_what_is_said_of_the_copy_is_said_of_the_source(source, folder):
    with pytest.raises(UnsupportedMediaError) as caught, local_copy(source, folder) as path:
        raise UnsupportedMediaError(f"{path} is text", path=str(path))
    assert str(caught.value) == f"{source} is text"
    assert caught.value.path == str(source)


Disk = namedtuple("Disk", "total used free")


def test_a_full_disk_lets_unread_copies_go_longest_unused_first(source, folder, monkeypatch):
    others = [source.with_name(f"{n}.mp4") for n in range(3)]
    paths = []
    for other in others:
        write_bytes(other, b"x" * 100)
        with local_copy(other, folder) as path:
            paths.append(path)
    for age, path in enumerate(paths):
        os.utime(path.parent / ".lock", (1000 - age, 1000 - age))  # the last is the longest unused

    def usage(_: Path) -> Disk:
        return Disk(1000, 0, 1000 - 300 * sum(path.exists() for path in paths))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with local_copy(others[2], folder), local_copy(source, folder):  # 94 left after the copy, and a tenth must be
        assert [path.exists() for path in paths] == [True, False, True]


def test_copies_that_nobody_used_for_a_week_go(source, folder):
    with local_copy(source, folder) as path:
        os.utime(path.parent / ".lock", (0, 0))
        remove_old_copies(folder)
        assert path.exists()  # it is being read
    remove_old_copies(folder)
    assert not path.parent.exists()
    with local_copy(source, folder) as path:
        assert path.exists()
    remove_old_copies(folder)
    assert path.exists()
