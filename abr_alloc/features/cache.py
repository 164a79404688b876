"""The cache: what was measured once is not measured again.

An entry is a small file of arrays under the hash of everything that determines it. Entries appear whole (written
aside, then renamed; or in one request), so that a run that was killed resumes with exactly what it had finished. A
cache lies in a folder, which machines may share, or under an `s3://` URL. Bulky intermediate files live in a work
folder of the running process and go with it: in the cache's folder or, where the cache is remote, in this machine's
scratch folder. What a killed process left behind is removed by the next.
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
from abr_alloc.features.copies import remove_old_copies
from abr_alloc.location import (
    exists,
    is_remote,
    list_files,
    make_scratch_dir,
    owner_name,
    parse_location,
    read_bytes,
    require_writable,
    scratch_dir,
    send,
    was_left_behind,
    write_bytes,
)

__all__ = ["LOOK", "Cache", "CacheSize", "cache_key", "default_cache_dir", "measure_cache"]

LOOK = "look-"
"""How the key of what a source is begins: no measurement, and kept apart from them."""

_MAX_ENCODE_AGE_S = 7 * 86400.0


def default_cache_dir() -> Path:
    """`ABR_ALLOC_CACHE`, else `abr-alloc` in the user's cache folder."""
    named = os.environ.get("ABR_ALLOC_CACHE")
    if named:
        return parse_location(named)
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
    """How much lies in a cache, which need not exist.

    Raises:
        OSError: the store of a remote one does not answer.
    """
    num_entries = size_bytes = kept_bytes = 0
    for within, size in list_files(root):
        folder, name = within.parts[0], within.name
        size_bytes += size
        kept_bytes += size if folder == "kept" else 0
        num_entries += folder == "scores" and name.endswith(".npz") and not name.startswith(".")
    return CacheSize(num_entries=num_entries, size_bytes=size_bytes, kept_bytes=kept_bytes)


def cache_key(**facts: Any) -> str:
    """Name of the entry that these facts determine."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of measurements, here or remote. It is pickled as the name of its root."""

    root: Path
    """The folder, or a URL."""

    def __post_init__(self) -> None:
        try:
            if is_remote(self.root):
                require_writable(self._scores / "any")
            else:
                object.__setattr__(self, "root", self.root.absolute())  # ffmpeg runs in other folders
                self._scores.mkdir(parents=True, exist_ok=True)
            _ = self.encodes, self._work
        except OSError as error:
            raise OutputError(
                f"the cache {self.root} cannot be written: {error.strerror}; choose another with --cache"
            ) from error

    @property
    def _scores(self) -> Path:
        return self.root / "scores"

    def _local(self, name: str) -> Path:
        """A folder for bulky files, made where it is not there: workers of other machines have none yet."""
        root = self.root
        if is_remote(root):
            root = make_scratch_dir() / hashlib.sha256(str(root).encode()).hexdigest()[:16]
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def encodes(self) -> Path:
        """Where encodes lie until they are measured; always of this machine or its file systems."""
        return self._local("encodes")

    @property
    def copies(self) -> Path:
        """Where this machine's copies of remote sources lie, for `copies.local_copy`. It need not exist."""
        return scratch_dir() / "copies"

    def kept_path(self, source: Path, source_hash: str, name: str) -> Path:
        """Where an encode of a source lies for good, under a name that says what it is, if it is kept."""
        return self.root / "kept" / f"{source.stem}-{source_hash[:8]}" / f"{name}.mp4"

    def keep(self, encode: Path, kept: Path) -> None:
        """Move an encode to where it lies for good.

        Raises:
            OutputError: that place cannot be written.
        """
        try:
            if is_remote(kept):
                send(encode, kept)
                encode.unlink()
            else:
                kept.parent.mkdir(parents=True, exist_ok=True)
                encode.replace(kept)
        except OSError as error:
            raise OutputError(f"the cache {self.root} cannot be written: {error.strerror}") from error

    @property
    def _work(self) -> Path:
        return self._local("work")

    def _path(self, key: str) -> Path:
        if key.startswith(LOOK):
            return self.root / "looks" / key[len(LOOK) :][:2] / f"{key}.npz"
        return self._scores / key[:2] / f"{key}.npz"

    def has(self, key: str) -> bool:
        """Whether an entry is there and whole; a store of objects holds no others.

        Raises:
            MediaError: a remote cache does not answer.
        """
        if not is_remote(self.root):
            return self.get(key) is not None
        try:
            return exists(self._path(key))
        except OSError as error:
            raise self._unread(error) from error

    def _unread(self, error: OSError) -> MediaError:
        return MediaError(f"the cache {self.root} cannot be read: {error.strerror}; run again when it answers")

    def get(self, key: str) -> dict[str, Any] | None:
        """An entry's arrays, or None; a damaged entry counts as none.

        Raises:
            MediaError: a remote cache does not answer.
        """
        try:
            content = read_bytes(self._path(key))
        except FileNotFoundError:
            return None
        except OSError as error:
            if is_remote(self.root):
                raise self._unread(error) from error
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
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
            if not is_remote(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, buffer.getvalue())
        except OSError as error:
            raise OutputError(f"the cache {self.root} cannot be written: {error.strerror}") from error

    @contextlib.contextmanager
    def work_dir(self) -> Iterator[Path]:
        """A folder for intermediate files, removed at the end."""
        folder = Path(tempfile.mkdtemp(prefix=f"{owner_name()}.", dir=self._work))
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
            if was_left_behind(entry.name):
                shutil.rmtree(entry, ignore_errors=True)
        folders = [] if is_remote(self.root) else [self._scores, self.root / "looks"]
        half_done = [path for folder in folders for path in folder.glob("*/.*")]
        for entry in [*self.encodes.glob(".*"), *half_done]:
            if was_left_behind(entry.name):
                entry.unlink(missing_ok=True)
        remove_old_copies(self.copies)

    # How a cluster sees whether its workers share this cache.

    def leave_mark(self, word: str) -> None:
        """Leave a mark that whoever shares this cache sees.

        Raises:
            OutputError: the cache cannot be written.
        """
        try:
            write_bytes(self.root / f"mark-{word}", b"")
        except OSError as error:
            raise OutputError(f"the cache {self.root} cannot be written: {error.strerror}") from error

    def sees_mark(self, word: str) -> bool:
        """Whether a mark is there; False where the cache cannot be read."""
        try:
            return exists(self.root / f"mark-{word}")
        except OSError:
            return False

    def remove_mark(self, word: str) -> None:
        """Remove a mark."""
        with contextlib.suppress(OSError):
            (self.root / f"mark-{word}").unlink(missing_ok=True)
