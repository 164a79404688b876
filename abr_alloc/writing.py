"""The one door for files that are written: whole or not at all, wherever the name leads.

A regular file is written under another name beside it and renamed; a symbolic link stays and its target is replaced;
devices and FIFOs are written through, since there is nothing to rename. Folders and sockets are refused. Half-done
files are named by machine and process, so that a later run removes what a killed one left.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from abr_alloc.disk import cannot_write
from abr_alloc.location import is_remote, make_scratch_dir, send, send_bytes
from abr_alloc.partial import is_partial_name, partial_name, was_left_behind

__all__ = [
    "check_kind",
    "is_written_through",
    "put_aside",
    "remove_partials_beside",
    "replace_file",
    "write_bytes",
    "written_whole",
]

logger = logging.getLogger(__name__)


def is_written_through(path: Path) -> bool:
    """Whether a place is a device or a FIFO, or a name of an open file (/dev/stdout): it is written, never replaced."""
    if is_remote(path):
        return False
    # What these two file systems name is there already, and is never a file to be exchanged.
    if str(path.absolute()).startswith(("/dev/fd/", "/dev/std", "/proc/")):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)


def check_kind(path: Path) -> None:
    """Refuse a place of this machine that holds what no file can be written to.

    Raises:
        OSError: it is a folder or a socket, a link that leads round in a circle, or its name is too long.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if stat.S_ISSOCK(mode):
        raise OSError(errno.ENXIO, "it is a socket", str(path))


def _followed(path: Path) -> Path:
    """The file that a name stands for: where a symbolic link leads, whether or not a file is there yet."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; to a store of objects, in one request.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    if is_remote(path):
        send_bytes(path, content)
        return
    with written_whole(path) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name of this machine to write to; when the block ends well, what was written there stands at `path`.

    Args:
        path: a file, a device, a FIFO or a URL.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    with put_aside(path) as partial:
        yield partial
        _publish(partial, path)


@contextlib.contextmanager
def put_aside(path: Path, mark: str = "") -> Iterator[Path]:
    """A name of this machine for what is on its way to `path`; nothing stands there when the block has ended.

    Args:
        path: where it is going.
        mark: tells several half-done files of one place apart.

    Raises:
        OSError: no file can be written to `path`.
    """
    partial = _partial_place(path, mark)
    try:
        yield partial
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _partial_place(path: Path, mark: str) -> Path:
    if is_remote(path):
        return partial_name(make_scratch_dir() / f"{mark}{path.name}")
    check_kind(path)
    if is_written_through(path):
        return partial_name(make_scratch_dir() / f"{mark}{path.name or 'out'}")
    target = _followed(path)
    return partial_name(target.with_name(f"{mark}{target.name}"))


def _publish(partial: Path, path: Path) -> None:
    if is_remote(path):
        send(partial, path)
        return
    if is_written_through(path):
        _copy_into(partial, path)
        return
    target = _followed(path)
    check_kind(target)  # it may have come to be something else meanwhile
    with contextlib.suppress(FileNotFoundError):
        partial.chmod(stat.S_IMODE(target.stat().st_mode))
    try:
        partial.replace(target)
    except OSError as error:
        if error.errno != errno.EBUSY:  # a single file that is mounted into a container can only be written into
            raise
        _copy_into(partial, target)


def _copy_into(partial: Path, path: Path) -> None:
    with partial.open("rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)


def replace_file(path: Path, content: bytes, *, log_level: int = logging.INFO) -> None:
    """Write an output of the user's, here or remote: whole, or not at all.

    What killed runs left beside it goes first.

    Raises:
        OutputError: the place cannot be written to.
    """
    try:
        remove_partials_beside(path)
        write_bytes(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error
    logger.log(log_level, "wrote %s (%d bytes)", path, len(content))


def remove_partials_beside(path: Path) -> None:
    """Remove half-done files that dead processes of this machine left in an output's folder."""
    if is_remote(path) or is_written_through(path):
        return
    left: list[str] = []
    with contextlib.suppress(OSError), os.scandir(_followed(path).parent) as entries:
        left += [entry.path for entry in entries if is_partial_name(entry.name) and was_left_behind(entry.name)]
    for name in left:
        with contextlib.suppress(OSError):
            Path(name).unlink()
