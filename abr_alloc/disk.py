"""Disks that take no more, and folders that go away: told plainly, whoever met it."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from abr_alloc.errors import AbrAllocError, OutputError, ToolFailedError
from abr_alloc.location import make_scratch_dir
from abr_alloc.partial import owner_name

__all__ = ["cannot_write", "cut_off", "disk_errors", "full_disk", "is_full", "scratch_folder"]

_FULL = ("No space left on device", "File too large", "Disk quota exceeded")
_FULL_CODES = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_SIGXFSZ = -25  # how a program ends that passes the limit on the size of its files
_NEARLY_FULL_BYTES = 1 << 16  # less than any file of ours takes


def cannot_write(path: Path, error: OSError) -> OutputError:
    """What is told of an output that a disk or a store refuses."""
    move = "choose another place with `output`"
    if error.errno in _FULL_CODES:
        full = Path(error.filename).parent if isinstance(error.filename, str) else path.parent
        move = f"make room on the disk of {full}, or {move}"
    return OutputError(f"{path} cannot be written: {error.strerror or error}; {move}")


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Tell plainly when the disk of a folder takes no more, whether a program or this process met it.

    Raises:
        OutputError: it does, or the folder went away meanwhile.
    """
    was_there = folder.is_dir()
    try:
        yield
    except (AbrAllocError, OSError) as error:
        # Of a half-written file a program may say anything, or nothing.
        if _tells_of_full_disk(error) or is_full(folder):
            raise full_disk(folder) from error
        if was_there and not folder.is_dir():
            raise OutputError(f"{folder} was removed while it was in use; run the same command again") from error
        if isinstance(error, OSError):
            raise OutputError(f"{folder} cannot be written: {error.strerror}; choose another place") from error
        raise


def _tells_of_full_disk(error: Exception) -> bool:
    if isinstance(error, ToolFailedError):
        return error.exit_code == _SIGXFSZ or any(word in error.stderr_tail for word in _FULL)
    met = error.__cause__ if isinstance(error, OutputError) else error
    return isinstance(met, OSError) and met.errno in _FULL_CODES


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room for anything."""
    try:
        return shutil.disk_usage(folder).free < _NEARLY_FULL_BYTES
    except OSError:
        return False


def full_disk(folder: Path) -> OutputError:
    """What is told of a full disk."""
    return OutputError(
        f"the disk of {folder} takes no more; make room and run the same command again, what is finished is kept"
    )


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this machine for what is needed for a moment, removed at the end.

    Raises:
        OutputError: there is no room for one.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=f"{owner_name()}.", dir=make_scratch_dir())
    except OSError as error:
        raise OutputError(
            f"no folder for temporary files can be made: {error.strerror or error}; make room there, or name another "
            "with TMPDIR or ABR_ALLOC_SCRATCH"
        ) from error
    with made as name, disk_errors(Path(name)):
        yield Path(name)


def cut_off(path: Path) -> OutputError:
    """What is told of a file that a program could not write to its end, though it said nothing of that."""
    try:
        free = f"its disk has {shutil.disk_usage(path.parent).free // 1024} KiB left"
    except OSError:
        free = "its folder is gone"
    return OutputError(
        f"{path} was cut off while a program wrote it: {free}; make room and run the same command again, what is "
        "finished is kept"
    )
