"""Places: a path stays a path, and a URL is read and written as a file is."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from abr_alloc.errors import LocationError
from abr_alloc.location import (
    exists,
    fetch,
    fingerprint,
    is_remote,
    list_files,
    make_scratch_dir,
    open_binary,
    parse_location,
    read_bytes,
    require_writable,
    scratch_dir,
    send,
)
from abr_alloc.partial import owner_name, partial_name, was_left_behind
from abr_alloc.writing import write_bytes


@pytest.mark.parametrize("text", ["film.mp4", "/tmp/a b/film.mp4", "s3:/bucket/key", "a:b", "C://x"])
def test_a_path_stays_a_path(text):
    place = parse_location(text)
    assert place == Path(text)
    assert not is_remote(place)


def test_a_file_url_is_a_path():
    assert parse_location("file:///tmp/film.mp4") == Path("/tmp/film.mp4")


def test_a_url_keeps_its_slashes_and_behaves_as_a_path(object_store):
    place = parse_location("s3://bucket/films/a b.mp4")
    assert is_remote(place)
    assert (str(place), place.name, place.stem) == ("s3://bucket/films/a b.mp4", "a b.mp4", "a b")
    assert str(place.parent / "c.mp4") == "s3://bucket/films/c.mp4"
    assert parse_location(place) is place


def test_a_url_survives_the_way_to_a_worker(bucket):
    place = bucket / "x" / "y.bin"
    there = pickle.loads(pickle.dumps(place))  # noqa: S301
    write_bytes(there, b"sent")
    assert there == place
    assert read_bytes(place) == b"sent"


def test_a_protocol_that_nothing_opens_is_refused_in_one_line():
    with pytest.raises(LocationError, match="nothing here opens") as caught:
        parse_location("gopher://host/film.mp4")
    assert caught.value.location == "gopher://host/film.mp4"


def test_without_the_extra_a_url_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocationError, match=r"pip install 'abr_alloc\[s3\]'"):
        parse_location("s3://bucket/key")


def test_paths_cost_no_import_of_what_opens_urls():
    code = "import sys, abr_alloc.cli.main, abr_alloc.location as l; l.parse_location('x'); print(sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [name for name in ("upath", "fsspec", "s3fs", "distributed", "dask") if f"'{name}'" in modules]


@pytest.fixture(params=["file", "object"])
def place(request, tmp_path) -> Path:
    """A place that is not there yet, here or in a store."""
    return tmp_path / "x.bin" if request.param == "file" else request.getfixturevalue("bucket") / "x.bin"


def test_what_is_written_is_read(place):
    assert not exists(place)
    for content in (b"first", b"second, and longer", b""):
        write_bytes(place, content)
        assert exists(place)
        assert read_bytes(place) == content


def test_what_is_not_there_is_a_missing_file(place):
    for read in (read_bytes, lambda path: open_binary(path).__enter__()):
        with pytest.raises(FileNotFoundError) as caught:
            read(place)
        assert caught.value.strerror
    with pytest.raises(FileNotFoundError):
        write_bytes(place.parent / "none" / "x.bin", b"") if not is_remote(place) else read_bytes(place)


def test_any_part_of_a_file_can_be_read_alone(place):
    write_bytes(place, bytes(range(200)))
    with open_binary(place) as file:
        file.seek(150)
        assert file.read(3) == bytes([150, 151, 152])
        file.seek(-1, os.SEEK_END)
        assert file.read() == bytes([199])


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    target = tmp_path / "x.bin"
    target.write_bytes(b"before")

    def full(self, content):
        self.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(target, b"after")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_bucket_is_an_error_with_a_reason(object_store):
    place = parse_location("s3://there-is-none/x.bin")
    for write in (lambda: write_bytes(place, b""), lambda: require_writable(place)):
        with pytest.raises(OSError, match="bucket does not exist") as caught:
            write()
        assert caught.value.strerror == "The specified bucket does not exist"


def test_what_another_process_wrote_after_a_listing_is_seen(bucket):
    import s3fs

    write_bytes(bucket / "a", b"")
    assert [path.name for path in bucket.iterdir()] == ["a"]
    another = s3fs.S3FileSystem(skip_instance_cache=True)
    another.pipe_file((bucket / "b").path, b"new")
    assert exists(bucket / "b")
    assert len(list(bucket.iterdir())) == 2


def test_a_look_whether_a_place_can_be_written_leaves_nothing(bucket):
    require_writable(bucket / "deep" / "x.bin")
    assert list(list_files(bucket)) == []


def test_a_store_that_does_not_answer_is_an_error_with_a_reason(monkeypatch, object_store):
    place = parse_location("s3://bucket/x.bin")

    def refuse(*args, **kwargs):
        raise ValueError("Could not connect\nand much more")

    monkeypatch.setattr(place.fs, "pipe_file", refuse)
    with pytest.raises(OSError, match="Could not connect") as caught:
        write_bytes(place, b"")
    assert caught.value.strerror == "Could not connect"


def test_files_go_to_a_store_and_come_back(bucket, tmp_path):
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(b"content" * 1000)
    send(here, bucket / "a" / "b")
    fetch(bucket / "a" / "b", back)
    assert back.read_bytes() == here.read_bytes()


def test_a_fingerprint_says_size_and_changes_with_the_content(bucket):
    place = bucket / "x.bin"
    marks = []
    for content in (b"one", b"two"):
        write_bytes(place, content)
        size_bytes, mark = fingerprint(place)
        assert size_bytes == 3
        marks.append(mark)
    assert marks[0] != marks[1]
    write_bytes(place, b"one")
    assert fingerprint(place) == (3, marks[0])


def test_every_file_below_a_folder_is_listed_with_its_size(place):
    root = place.parent / "root"
    assert list(list_files(root)) == []
    for name, size in (("a.bin", 1), ("deep/er/b.bin", 2)):
        if not is_remote(root):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(root / name, bytes(size))
    assert dict(list_files(root)) == {Path("a.bin"): 1, Path("deep/er/b.bin"): 2}


def test_half_done_files_name_their_process():
    path = partial_name(Path("/tmp/x.mp4"))
    assert path.parent == Path("/tmp")
    assert path.name == f".{owner_name()}.x.mp4"
    assert not was_left_behind(path.name)
    assert not was_left_behind(f"{owner_name()}.folder")


def test_what_a_dead_process_of_this_machine_left_is_known_and_of_another_machine_is_not():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    host = owner_name().partition("~")[0]
    assert was_left_behind(f".{host}~{child.pid}~1.x.mp4")
    assert not was_left_behind(f".{host}~1~1.x.mp4")  # process 1 lives, and may be another user's
    assert not was_left_behind(f".another~{child.pid}~1.x.mp4")


def test_scratch_is_where_the_environment_says_else_the_users_own_among_temporary_files(monkeypatch, tmp_path):
    monkeypatch.setenv("ABR_ALLOC_SCRATCH", str(tmp_path / "own"))
    assert make_scratch_dir() == tmp_path / "own"
    assert (tmp_path / "own").is_dir()
    monkeypatch.delenv("ABR_ALLOC_SCRATCH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert scratch_dir() == tmp_path / f"abr-alloc-{os.getuid()}"
    assert make_scratch_dir().stat().st_mode & 0o777 == 0o700


def test_a_scratch_folder_that_another_user_made_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("ABR_ALLOC_SCRATCH")
    make_scratch_dir()
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    (tmp_path / f"abr-alloc-{os.getuid()}").mkdir()
    with pytest.raises(PermissionError, match="another user"):
        make_scratch_dir()
