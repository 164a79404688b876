"""Local copies of remote sources: ffmpeg opens files and nothing else, so a source is copied to this machine first.

A copy lies in a folder named by the source's URL, size and ETag (or time of change): a changed source gets another.
Copies appear whole, are made once per machine however many processes ask, and stay for the next task; where the disk
gets full, those that nobody is reading go, longest unused first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from abr_alloc.errors import AbrAllocError, MediaError, UnsupportedMediaError
from abr_alloc.location import fetch, fingerprint, is_remote, make_scratch_dir
from abr_alloc.partial import was_left_behind
from abr_alloc.writing import written_whole

__all__ = ["local_copy", "remove_old_copies"]

_MIN_FREE_SHARE = 0.1  # of the disk: encodes and logs need room beside the copies
_MAX_AGE_S = 7 * 86400.0
_LOCK = ".lock"


@contextlib.contextmanager
def local_copy(source: Path, folder: Path) -> Iterator[Path]:
    """A source as a file of this machine, which stays there as long as the block runs.

    Args:
        source: a file, which is given back as it is; or a remote one.
        folder: where copies lie, `Cache.copies`.

    Raises:
        UnsupportedMediaError: there is no such source.
        MediaError: it cannot be copied.
    """
    if not is_remote(source):
        yield source
        return
    with contextlib.ExitStack() as held:
        copy = _copied(source, folder, held)
        try:
            yield copy
        except AbrAllocError as error:  # what is said of the copy is meant of the source
            error.args = tuple(_renamed(word, copy, source) for word in error.args)
            error.__dict__.update({key: _renamed(word, copy, source) for key, word in error.__dict__.items()})
            raise


def _renamed(word: object, copy: Path, source: Path) -> object:
    return word.replace(str(copy), str(source)) if isinstance(word, str) else word


def _copied(source: Path, folder: Path, held: contextlib.ExitStack) -> Path:
    """The copy of a source, made where it is not there; its lock is left to `held`."""
    try:
        make_scratch_dir()
        size_bytes, mark = fingerprint(source)
        home = folder / hashlib.sha256(f"{source}\0{size_bytes}\0{mark}".encode()).hexdigest()[:24]
        copy = home / source.name
        while True:
            with contextlib.ExitStack() as shared:
                shared.enter_context(_locked(home, fcntl.LOCK_SH))
                if copy.is_file():
                    os.utime(home / _LOCK)  # used now
                    held.push(shared.pop_all())
                    return copy
            with _locked(home, fcntl.LOCK_EX):
                if not copy.is_file():  # nobody else made it meanwhile
                    _make_room(folder, size_bytes)
                    _fetch_whole(source, copy, size_bytes, mark)
    except FileNotFoundError as error:
        if error.filename == str(source):
            raise UnsupportedMediaError(f"{source} does not exist; check the URL", path=str(source)) from error
        raise
    except OSError as error:
        raise MediaError(f"{source} cannot be copied to {folder}: {error.strerror}", path=str(source)) from error


def _fetch_whole(source: Path, copy: Path, size_bytes: int, mark: str) -> None:
    with written_whole(copy) as partial:
        fetch(source, partial)
        if partial.stat().st_size != size_bytes or fingerprint(source) != (size_bytes, mark):
            raise MediaError(f"{source} changed while it was copied; run again", path=str(source))


@contextlib.contextmanager
def _locked(home: Path, how: int) -> Iterator[None]:
    """Hold the lock of a copy's folder, which is made where it is not there. A process that dies lets go of it."""
    file = _open_lock(home, how)
    try:
        yield
    finally:
        file.close()


def _open_lock(home: Path, how: int) -> IO[bytes]:
    while True:
        home.mkdir(parents=True, exist_ok=True)
        try:
            file = (home / _LOCK).open("ab")
        except FileNotFoundError:  # the folder went this moment
            continue
        try:
            fcntl.flock(file, how)
            with contextlib.suppress(FileNotFoundError):
                # Else the folder went while this process waited, and the lock with it.
                if os.fstat(file.fileno()).st_ino == (home / _LOCK).stat().st_ino:
                    return file
        except BaseException:
            file.close()
            raise
        file.close()


def _make_room(folder: Path, size_bytes: int) -> None:
    """Remove copies that nobody reads, longest unused first, until another one fits."""
    for home in _by_age(folder):
        disk = shutil.disk_usage(folder)
        if disk.free - size_bytes >= _MIN_FREE_SHARE * disk.total:
            return
        _remove_unread(home)


def remove_old_copies(folder: Path) -> None:
    """Remove copies that nobody has used for a week, and what dead processes left half copied."""
    for home in _by_age(folder):
        for partial in home.glob(".*~*"):
            if was_left_behind(partial.name):
                partial.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if time.time() - (home / _LOCK).stat().st_mtime > _MAX_AGE_S:
                _remove_unread(home)


def _by_age(folder: Path) -> list[Path]:
    """Folders of copies, longest unused first."""
    ages = {}
    for lock in folder.glob(f"*/{_LOCK}"):
        with contextlib.suppress(FileNotFoundError):  # another process may be at work
            ages[lock.parent] = lock.stat().st_mtime
    return sorted(ages, key=lambda home: ages[home])


def _remove_unread(home: Path) -> None:
    with contextlib.suppress(BlockingIOError), _locked(home, fcntl.LOCK_EX | fcntl.LOCK_NB):
        shutil.rmtree(home, ignore_errors=True)
