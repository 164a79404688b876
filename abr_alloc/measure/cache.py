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
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abr_alloc.disk import disk_errors, is_full
from abr_alloc.errors import MediaError, OutputError
from abr_alloc.location import (
    exists,
    is_remote,
    make_scratch_dir,
    parse_location,
    read_bytes,
    require_writable,
    scratch_dir,
    send,
)
from abr_alloc.measure.copies import remove_old_copies
from abr_alloc.measure.entry import open_entry, seal_entry
from abr_alloc.partial import owner_name, was_left_behind
from abr_alloc.writing import write_bytes

__all__ = ["LOOK", "Cache", "cache_key", "default_cache_dir", "open_cache"]

LOOK = "look-"
"""How the key of what a source is begins: no measurement, and kept apart from them."""

_LONGEST_STEM = 200  # bytes of a source's name: with what follows it, a folder's name has room for 255
_MAX_ENCODE_AGE_S = 7 * 86400.0


def default_cache_dir() -> Path:
    """`ABR_ALLOC_CACHE`, else `abr-alloc` in the user's cache folder; for one without a home, in the scratch folder."""
    named = os.environ.get("ABR_ALLOC_CACHE")
    if named:
        return parse_location(named)
    folder = os.environ.get("XDG_CACHE_HOME")
    if not folder:
        try:
            folder = str(Path.home() / ".cache")
        except RuntimeError:  # neither HOME nor an entry among the system's users, as in containers
            return scratch_dir() / "cache"
    return Path(folder) / "abr-alloc"


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
            raise self._unwritten(error) from error

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
        stem = os.fsdecode(os.fsencode(source.stem)[:_LONGEST_STEM])
        return self.root / "kept" / f"{stem}-{source_hash[:8]}" / f"{name}.mp4"

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
            raise self._unwritten(error) from error

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

    def _unwritten(self, error: OSError) -> OutputError:
        room = "make room, or " if not is_remote(self.root) and is_full(self.root) else ""
        return OutputError(
            f"the cache {self.root} cannot be written: {error.strerror}; {room}choose another with `cache`"
        )

    def _unread(self, error: OSError) -> MediaError:
        return MediaError(f"the cache {self.root} cannot be read: {error.strerror}; run again when it answers")

    def get(self, key: str) -> dict[str, Any] | None:
        """An entry's arrays, or None; one that is damaged, or is not what was stored, counts as none.

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
        return open_entry(key, content)

    def require(self, key: str) -> dict[str, Any]:
        """The arrays of an entry that was just stored.

        Raises:
            MediaError: it is damaged.
        """
        entry = self.get(key)
        if entry is None:
            raise MediaError(
                f"entry {key} of the cache {self.root} is gone or damaged; run again, and keep the cache meanwhile"
            )
        return entry

    def put(self, key: str, arrays: Mapping[str, Any]) -> None:
        """Store an entry, whole or not at all.

        Raises:
            OutputError: the disk refuses it.
        """
        path = self._path(key)
        try:
            if not is_remote(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, seal_entry(key, arrays))
        except OSError as error:
            raise self._unwritten(error) from error

    @contextlib.contextmanager
    def work_dir(self) -> Iterator[Path]:
        """A folder for intermediate files, removed at the end.

        Raises:
            OutputError: it cannot be made, its disk is full, or somebody removed it.
        """
        with disk_errors(self.root if not is_remote(self.root) else make_scratch_dir()):
            folder = Path(tempfile.mkdtemp(prefix=f"{owner_name()}.", dir=self._work))
        try:
            with disk_errors(folder):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def encode_file(self, key: str) -> Iterator[tuple[Path, bool]]:
        """A file of this process for an encode, and whether an interrupted run left it there whole.

        When the block ends by an error or is killed, what `hand_on` was told of stays for the next run. Others may work
        at the same encode: nobody takes away a file under another.
        """
        with self.work_dir() as folder:
            encode, left = folder / "encode.mp4", self.encodes / f"{key}.mp4"
            with contextlib.suppress(FileNotFoundError):
                _link(left, encode)
            try:
                yield encode, encode.is_file()
            except MediaError:  # the encode may be why, and would be so for ever
                left.unlink(missing_ok=True)
                raise
            left.unlink(missing_ok=True)

    def hand_on(self, key: str, encode: Path) -> None:
        """Keep a whole encode for the next run, in case this one is interrupted."""
        partial = self.encodes / f".{owner_name()}.{key}.mp4"
        with disk_errors(self.encodes):
            _link(encode, partial)
            partial.replace(self.encodes / f"{key}.mp4")

    def remove_leftovers(self) -> None:
        """Remove what processes that no longer run left behind, and encodes that nobody came back to measure."""
        with contextlib.suppress(OSError):  # tidying ends no run: others may tidy too, or remove it all
            self._remove_leftovers()
        with contextlib.suppress(OSError):
            remove_old_copies(self.copies)

    def _remove_leftovers(self) -> None:
        for entry in self._work.iterdir():
            if was_left_behind(entry.name):
                shutil.rmtree(entry, ignore_errors=True)
        folders = [] if is_remote(self.root) else [self._scores, self.root / "looks"]
        half_done = [path for folder in folders for path in folder.glob("*/.*")]
        for entry in [*self.encodes.glob(".*"), *half_done]:
            if was_left_behind(entry.name):
                entry.unlink(missing_ok=True)
        for entry in self.encodes.glob("[!.]*"):
            with contextlib.suppress(FileNotFoundError):  # another process may have measured it
                if time.time() - entry.stat().st_mtime > _MAX_ENCODE_AGE_S:
                    entry.unlink()

    # How a cluster sees whether its workers share this cache.

    @property
    def share_hint(self) -> str:
        """What is told after "does not see"."""
        return (
            f"the cache {self.root} of this machine; give one that all machines share, a folder or an s3:// URL, with "
            "`cache`"
        )

    def leave_mark(self, word: str) -> None:
        """Leave a mark that whoever shares this cache sees.

        Raises:
            OutputError: the cache cannot be written.
        """
        try:
            write_bytes(self.root / f"mark-{word}", b"")
        except OSError as error:
            raise self._unwritten(error) from error

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


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no such names."""
    target.unlink(
        missing_ok=True
    )  # a dead process of this number may have left one, and a copy would be written into it
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def open_cache(place: str | os.PathLike[str] | None) -> Cache:
    """The cache at a path or URL; the user's when None.

    Raises:
        LocationError: a URL that nothing here opens.
    """
    return Cache(default_cache_dir() if place is None else parse_location(place))
