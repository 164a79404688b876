"""The cache: what was measured once is not measured again.

An entry is a small file of arrays under the hash of everything that determines it. Entries appear whole (written
aside, then renamed), so that a run that was killed resumes with exactly what it had finished. Bulky intermediate files
live in a work folder of the running process and go with it; what a killed process left behind is removed by the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from abr_alloc.errors import MediaError, OutputError

__all__ = ["Cache", "CacheSize", "cache_key", "default_cache_dir", "measure_cache"]

_MAX_ENCODE_AGE_S = 7 * 86400.0


def default_cache_dir() -> Path:
    """`ABR_ALLOC_CACHE`, else `abr-alloc` in the user's cache folder."""
    named = os.environ.get("ABR_ALLOC_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "abr-alloc"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSize:
    """How much a cache holds."""

    num_entries: int
    """Measurements."""
    size_bytes: int
    """Bytes of all its files, kept encodes included."""
    kept_bytes: int
    """Bytes of kept encodes."""


def measure_cache(root: Path) -> CacheSize:
    """How much lies in a cache folder, which need not exist."""
    num_entries = size_bytes = kept_bytes = 0
    for folder, _, names in os.walk(root):
        within = Path(folder).relative_to(root).parts[:1]
        for name in names:
            with contextlib.suppress(OSError):  # another process may be at work
                size = (Path(folder) / name).lstat().st_size
                size_bytes += size
                kept_bytes += size if within == ("kept",) else 0
                num_entries += within == ("scores",) and name.endswith(".npz") and not name.startswith(".")
    return CacheSize(num_entries=num_entries, size_bytes=size_bytes, kept_bytes=kept_bytes)


def cache_key(**facts: Any) -> str:
    """Name of the entry that these facts determine."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of measurements."""

    root: Path
    """The folder."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.absolute())  # ffmpeg runs in other folders
        for folder in (self._scores, self.encodes, self._work):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the cache {self.root} cannot be written: {error.strerror}; choose another with --cache"
                ) from error

    @property
    def _scores(self) -> Path:
        return self.root / "scores"

    @property
    def encodes(self) -> Path:
        """Where encodes lie until they are measured."""
        return self.root / "encodes"

    def kept_path(self, source: Path, source_hash: str, name: str) -> Path:
        """Where an encode of a source lies for good, under a name that says what it is, if it is kept."""
        return self.root / "kept" / f"{source.stem}-{source_hash[:8]}" / f"{name}.mp4"

    def keep(self, encode: Path, kept: Path) -> None:
        """Move an encode to where it lies for good."""
        kept.parent.mkdir(parents=True, exist_ok=True)
        encode.replace(kept)

    @property
    def _work(self) -> Path:
        return self.root / "work"

    def _path(self, key: str) -> Path:
        return self._scores / key[:2] / f"{key}.npz"

    def has(self, key: str) -> bool:
        """Whether an entry is there and whole."""
        return self.get(key) is not None

    def get(self, key: str) -> dict[str, Any] | None:
        """An entry's arrays, or None; a damaged entry counts as none."""
        try:
            with np.load(self._path(key), allow_pickle=False) as arrays:
                return dict(arrays)
        except Exception:  # a flipped byte can surface as almost any error of zip, zlib or NumPy
            return None

    def require(self, key: str) -> dict[str, Any]:
        """The arrays of an entry that was just stored.

        Raises:
            MediaError: it is damaged.
        """
        entry = self.get(key)
        if entry is None:
            raise MediaError(f"entry {key} of the cache {self.root} is damaged; delete that folder and run again")
        return entry

    def put(self, key: str, arrays: Mapping[str, Any]) -> None:
        """Store an entry, whole or not at all.

        Raises:
            OutputError: the disk refuses it.
        """
        path = self._path(key)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        try:
            path.parent.mkdir(exist_ok=True)
            partial = path.with_name(f".{os.getpid()}.{path.name}")
            partial.write_bytes(buffer.getvalue())
            partial.replace(path)
        except OSError as error:
            raise OutputError(f"the cache {self.root} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def work_dir(self) -> Iterator[Path]:
        """A folder for intermediate files, removed at the end."""
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self._work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove what processes that no longer run left behind, and encodes that nobody came back to measure."""
        for entry in self.encodes.glob("[!.]*"):
            with contextlib.suppress(FileNotFoundError):  # another process may be measuring it
                if time.time() - entry.stat().st_mtime > _MAX_ENCODE_AGE_S:
                    entry.unlink()
        for entry in self._work.iterdir():
            if not _is_running(entry.name.partition("-")[0]):
                shutil.rmtree(entry, ignore_errors=True)
        for entry in [*self.encodes.glob(".*"), *self._scores.glob("*/.*")]:
            if not _is_running(entry.name.split(".")[1]):
                entry.unlink(missing_ok=True)


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
