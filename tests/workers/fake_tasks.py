"""Tasks that stand for real ones. Workers import this module by its name: this folder is on their path."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.errors import MediaError, ToolMissingError
from abr_alloc.media.programs import run_program


@dataclass(frozen=True)
class Folder:
    """A place that says who cleaned it."""

    root: Path

    @property
    def number(self) -> int:
        """Unlike that of any test that runs beside this one."""
        return zlib.crc32(bytes(self.root))

    def sleepers(self, seconds: int) -> list[int]:
        """Programs of `Program` that run on this machine for this place."""
        pattern = f"^sleep {seconds}.{self.number}$"
        found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
        return [int(word) for word in found.stdout.split()]

    def remove_leftovers(self) -> None:
        self.log("cleaned", str(os.getpid()))

    def log(self, name: str, line: str) -> None:
        with (self.root / name).open("a") as file:  # one short write: whole
            file.write(f"{line}\n")

    def lines(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True)
class OfOneMachine(Folder):
    """A place that only the process that made it sees."""

    made_by: int

    @property
    def share_hint(self) -> str:
        return f"the cache {self.root}; give one that all machines share with `cache`"

    def leave_mark(self, word: str) -> None:
        self.log("marks", f"left {word}")

    def sees_mark(self, word: str) -> bool:
        return os.getpid() == self.made_by

    def remove_mark(self, word: str) -> None:
        self.log("marks", f"removed {word}")


@dataclass(frozen=True)
class Square:
    """Write down that it ran, and where; return a square."""

    number: int
    seconds: float = 0.0

    @property
    def label(self) -> str:
        return f"square of {self.number}"

    def run(self, place: Folder) -> int:
        place.log("begun", f"{self.number} {os.getpid()}")
        time.sleep(self.seconds)
        place.log("run", str(self.number))
        return self.number**2


@dataclass(frozen=True)
class Program:
    """Run a program that takes long, as an encode does."""

    seconds: int
    label: str = "a long program"

    def run(self, place: Folder) -> None:
        place.log("begun", f"{self.label} {os.getpid()}")
        run_program(["sleep", f"{self.seconds}.{place.number}"])


@dataclass(frozen=True)
class Poisoned:
    """Fail as tasks do."""

    how: str
    label: str = "poison"

    def run(self, place: Folder) -> None:
        place.log("begun", self.how)
        if self.how == "media":
            raise MediaError("film.mp4 is cut off; copy it again", path="film.mp4")
        if self.how == "tool":
            raise ToolMissingError("no fdkaac; install it", tool="fdkaac")
        if self.how == "program":
            run_program(["false"])
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a bug")
