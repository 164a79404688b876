"""The door: a playlist or manifest by what it begins with, whatever it is called."""

from __future__ import annotations

import os
from pathlib import Path

from abr_alloc.errors import PackageError
from abr_alloc.packages.dash_reader import read_dash
from abr_alloc.packages.hls_reader import read_hls
from abr_alloc.packages.local_files import LocalFiles
from abr_alloc.packages.package import Package

__all__ = ["is_package", "read_package"]

_HEAD_BYTES = 4096


def is_package(path: Path) -> bool:
    """Whether a file is an HLS playlist or a DASH manifest, by its name or by what it begins with."""
    return path.suffix.lower() in (".m3u8", ".m3u", ".mpd") or _kind(path) != ""


def read_package(path: Path, *, within: Path | None = None) -> Package:
    """Read an HLS package by its master playlist (or one stream of it by its media playlist), or a DASH package by its
    static manifest, whoever made it. Of every stream the first segment is looked into; no media is decoded.

    Args:
        path: the playlist or manifest.
        within: a folder that nothing may lead out of, links followed; the playlist's own when absent.

    Raises:
        PackageError: it cannot be read, names what is not there, is encrypted, live or remote, leads out of the folder,
            or holds what cannot be read exactly. The message says where, and what to do.
    """
    path = Path(os.path.normpath(path))
    folder = (within or path.parent).resolve()
    files = LocalFiles(within=folder)
    files.size(path, str(path))
    if within is not None:
        files.checked(path, str(path), str(path))
    kind = _kind(path)
    if kind == "hls":
        return read_hls(path, files)
    if kind == "dash":
        return read_dash(path, files)
    raise PackageError(
        f"{path} is neither an HLS playlist (#EXTM3U) nor a DASH manifest (MPD); give one of them", path=str(path)
    )


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (OSError, ValueError):
        return ""
    if head.startswith(b"#EXTM3U"):
        return "hls"
    return "dash" if head.startswith(b"<") and b"MPD" in head else ""
