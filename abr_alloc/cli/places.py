"""Where a command writes to: looked at before any work."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from pathlib import Path

import click

from abr_alloc.errors import OutputError
from abr_alloc.location import is_remote, require_writable
from abr_alloc.writing import check_kind, is_written_through

__all__ = ["check_output", "is_folder", "make_folder", "refuse_file"]


def check_output(path: Path | None, inputs: Iterable[Path] = ()) -> None:
    """Refuse, before any work, an output that is an input or cannot be written.

    Raises:
        click.UsageError: it is one of the inputs.
        OutputError: its folder is missing or not writable, or it is a folder.
    """
    if path is None:
        return
    for source in inputs:
        if _are_same(path, source):
            raise click.UsageError(f"the output {path} is also an input; choose another name with -o")
    if is_remote(path):
        _check_remote(path)
        return
    try:
        check_kind(path)
        if is_written_through(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, "permission denied", str(path))
            return
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; give a file name with -o") from error
    # A link is followed: what matters is the place where it leads.
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    parent = path.parent
    if not parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {parent}; make it, or choose another -o")
    if not os.access(parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise OutputError(f"{path} cannot be written: permission denied; choose another place with -o")


def is_folder(path: Path) -> bool:
    """Whether an output is a folder: one that is there; or, as stores of objects have none, a URL without a suffix."""
    return not path.suffix if is_remote(path) else path.is_dir()


def _are_same(path: Path, source: Path) -> bool:
    if is_remote(path) or is_remote(source):
        return path == source
    with contextlib.suppress(OSError):
        return path.samefile(source)
    return False


def _check_remote(path: Path) -> None:
    if not path.name:
        raise OutputError(f"{path} cannot be written: it names no file; give one with -o, like {path}/features.parquet")
    try:
        require_writable(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}; choose another place with -o") from error


def refuse_file(folder: Path) -> None:
    """Refuse, before any work, a folder for outputs that is a file.

    Raises:
        click.UsageError: it is.
    """
    if folder.exists() and not folder.is_dir():
        raise click.UsageError(f"{folder} is a file; give a folder with -o")


def make_folder(folder: Path) -> None:
    """Make a folder for outputs, before any work.

    Raises:
        OutputError: it cannot be made or written to.
    """
    if is_remote(folder):
        _check_remote(folder / "any")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place with -o") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder} cannot be written: permission denied; choose another place with -o")
