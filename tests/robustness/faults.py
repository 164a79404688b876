"""A fault injector at the two doors: where files are written whole, and where programs are run.

It counts every passage. At the chosen one a disk is full or broken, a call is interrupted, a program is killed, or ends
well with its last file cut short; or this process ends at once, as by `kill -9`.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

from abr_alloc import writing
from abr_alloc.errors import ToolFailedError
from abr_alloc.media import ffmpeg, programs

FILE_FAULTS = ("ENOSPC", "EIO", "EINTR")
PROGRAM_FAULTS = ("full disk", "killed", "short file")
KILL = "kill -9"
SHORT = ("mp4", "txt", "csv", "m4s")  # what programs write and this one reads


class Faults:
    """Passages through the doors, and the fault at one of them."""

    def __init__(self, set_: Callable[[object, str, object], None], at: int = -1, fault: str = "") -> None:
        self.at, self.fault = at, fault
        self.passed: list[str] = []
        """What passed, `file` or `program`, in order."""
        publish, run = writing._publish, programs.run

        def faulty_publish(partial: Path, path: Path) -> None:
            if self._is_now("file"):
                raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)), str(path))
            publish(partial, path)

        def faulty_run(command, *, cwd=None, **settings):
            if not self._is_now("program"):
                return run(command, cwd=cwd, **settings)
            if self.fault == "full disk":
                raise ToolFailedError(command, 228, "Error writing trailer of out.mp4: No space left on device")
            if self.fault == "killed":
                raise ToolFailedError(command, -int(signal.SIGKILL), programs.SIGNALS[-int(signal.SIGKILL)])
            said = run(command, cwd=cwd, **settings)
            for path in (cwd or Path(command[-1]).parent).iterdir():
                # Only what this program wrote: its last argument, or logs in the folder that it ran in.
                if path.suffix[1:] in SHORT and (cwd is not None or str(path) == command[-1]):
                    with path.open("rb+") as file:
                        file.truncate(path.stat().st_size * 2 // 3)
            return said

        set_(writing, "_publish", faulty_publish)
        set_(programs, "run", faulty_run)
        set_(ffmpeg, "run", faulty_run)

    def _is_now(self, door: str) -> bool:
        self.passed.append(door)
        if len(self.passed) - 1 != self.at:
            return False
        if self.fault == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        return True


def kinds_at(door: str) -> tuple[str, ...]:
    """The faults of a door."""
    return FILE_FAULTS if door == "file" else PROGRAM_FAULTS
