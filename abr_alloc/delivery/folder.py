"""The folder of a delivery: finished streams stand in it whole, and a master playlist only when all of them do.

Half-done work lies in `.abr-alloc` below it, on the same disk, so that what is finished moves into place at once. What
is left there after an interruption says which order it belongs to; another order is refused. Shots of a rendition whose
scenes are encoded each by itself are whole, too, where they are; their names say all that they depend on.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.disk import disk_errors
from abr_alloc.errors import DeliveryError
from abr_alloc.exporting.presentation import MANIFEST_NAME, MASTER_NAME
from abr_alloc.formats.delivery_record import RECORD_NAME, Delivery, read_delivery, write_delivery

__all__ = ["DeliveryFolder"]

_STATE = ".abr-alloc"
_NOT_OURS = (".DS_Store", "lost+found")  # what systems put into folders by themselves


@dataclass(frozen=True, slots=True)
class DeliveryFolder:
    """Where a ladder is delivered to."""

    root: Path
    """The folder; absolute, because ffmpeg runs in others."""

    @property
    def master(self) -> Path:
        """Its master playlist: there when everything is."""
        return self.root / MASTER_NAME

    @property
    def record(self) -> Path:
        """What was ordered, once it was finished."""
        return self.root / RECORD_NAME

    @property
    def _state(self) -> Path:
        return self.root / _STATE

    @property
    def refined(self) -> Path:
        """Where second attempts lie until it is known which of two is the better."""
        return self._state / "refined"

    def open(self, order: Delivery) -> tuple[Delivery, bool]:
        """The order as it stands here, with what was refined of it, and whether it is finished.

        Raises:
            DeliveryError: the folder holds something else.
        """
        for path in (self._state / RECORD_NAME, self.record):
            if not path.is_file():
                continue
            found = read_delivery(path)
            others = found.differences(order)
            if not others:
                return found, path == self.record and self.master.is_file()
            if path != self.record and not any(self.has(name) for name in found.names):
                break  # nothing of the other order was finished yet
            raise DeliveryError(
                f"{self.root} holds a delivery with another {' and '.join(others)}; choose another `output`, or "
                "empty it"
            )
        # A run that was cut off, or met a full disk, before it noted its order down has left no more than its lock.
        known = (_STATE, *_NOT_OURS)
        if self.root.is_dir() and any(path.name not in known for path in self.root.iterdir()):
            raise DeliveryError(f"{self.root} is not empty; choose another `output`, or empty it")
        return order, False

    @contextlib.contextmanager
    def begun(self, order: Delivery) -> Iterator[None]:
        """Hold the folder for one process, with the order noted down in it.

        Raises:
            DeliveryError: another process is at work in it.
            OutputError: it cannot be written.
        """
        with disk_errors(self.root):
            self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DeliveryError(f"another abr-alloc is at work in {self.root}; wait for it to end") from None
            with disk_errors(self.root):
                self.remove_leftovers()
                write_delivery(order, self._state / RECORD_NAME)
            yield

    def has(self, name: str) -> bool:
        """Whether a stream is there, and so whole."""
        return (self.root / name).is_dir()

    def discard(self, name: str) -> None:
        """Remove a stream that is damaged; a delivery without it is not finished."""
        self.unpublish()
        shutil.rmtree(self.root / name, ignore_errors=True)

    @contextlib.contextmanager
    def work_dir(self) -> Iterator[Path]:
        """A folder for half-done work, removed at the end."""
        work = self._state / "work"
        work.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=work))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def progress_path(self, name: str, number: int) -> Path:
        """Where an encoder tells how far a pass is."""
        return self._state / "work" / f"{name.replace('/', '-')}.{number}.progress"

    def accept(self, finished: Path, name: str, *, below: Path | None = None) -> None:
        """Move a whole stream to its place."""
        _move(finished, (below or self.root) / name)

    def shot_path(self, key: str) -> Path:
        """Where a shot lies, if it is there, and so whole."""
        return self._state / "shots" / f"{key}.mp4"

    def accept_shot(self, finished: Path, key: str) -> None:
        """Move a whole shot to its place."""
        place = self.shot_path(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        finished.replace(place)

    def drop_shots(self, keys: Iterable[str]) -> None:
        """Remove shots that no rendition needs any more."""
        for key in keys:
            self.shot_path(key).unlink(missing_ok=True)

    def forget_refined(self) -> None:
        """Remove second attempts that an interruption left."""
        shutil.rmtree(self.refined, ignore_errors=True)

    def exchange(self, name: str, order: Delivery) -> None:
        """Put a stream's second attempt in the place of its first, and note down what was asked for it.

        Whenever this is interrupted, the stream is missing or the note is true of it.
        """
        with disk_errors(self.root), self.work_dir() as work:
            (self.root / name).rename(work / "old")
            write_delivery(order, self._state / RECORD_NAME)
            (self.refined / name).rename(self.root / name)

    def note(self, order: Delivery) -> None:
        """Note down the order as it stands now, for whoever goes on."""
        with disk_errors(self.root):
            write_delivery(order, self._state / RECORD_NAME)

    def unpublish(self) -> None:
        """Take away what says that the delivery is finished."""
        for name in (MASTER_NAME, MANIFEST_NAME):
            (self.root / name).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove half-done work; whoever calls holds the folder."""
        shutil.rmtree(self._state / "work", ignore_errors=True)

    def finish(self) -> None:
        """Remove everything but the delivery itself."""
        shutil.rmtree(self._state, ignore_errors=True)

    # How a cluster sees whether its workers share this folder.

    @property
    def share_hint(self) -> str:
        """What is told after "does not see"."""
        return f"the folder {self.root} of this machine; give one on a disk that all machines share, with `output`"

    def leave_mark(self, word: str) -> None:
        """Leave a mark that whoever shares this folder sees; it is held.

        Raises:
            OutputError: the folder cannot be written.
        """
        with disk_errors(self.root):
            (self._state / f"mark-{word}").touch()

    def sees_mark(self, word: str) -> bool:
        """Whether a mark is there."""
        return (self._state / f"mark-{word}").exists()

    def remove_mark(self, word: str) -> None:
        """Remove a mark."""
        (self._state / f"mark-{word}").unlink(missing_ok=True)


def _move(finished: Path, place: Path) -> None:
    """Move a whole folder to its place; on a cluster, a worker that was given up may have been first."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        finished.rename(place)
    except OSError:
        if not place.is_dir():
            raise
