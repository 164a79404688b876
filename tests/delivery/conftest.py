"""What the tests of delivery share: an ffmpeg that tells what it was asked."""

from __future__ import annotations

from pathlib import Path

import pytest


class Spy:
    """An ffmpeg that writes down every call and, where it is armed, stalls where certain words stand in one."""

    def __init__(self, folder: Path, program: str) -> None:
        self.path, self._calls, self._armed = folder / "ffmpeg", folder / "calls", folder / "armed"
        self.stalled = folder / "stalled"
        words = [f"$(sed -n {line}p '{self._armed}')" for line in (1, 2)]
        self.path.write_text(
            "#!/bin/sh\n"
            f"echo \"$*\" >> '{self._calls}'\n"
            f"if [ -e '{self._armed}' ]; then case \"$*\" in\n"
            f'*"{words[0]}"*"{words[1]}"*) touch \'{self.stalled}\'; exec sleep 300;;\n'
            "esac; fi\n"
            f"exec '{program}' \"$@\"\n"
        )
        self.path.chmod(0o755)

    def arm(self, kbps: float) -> None:
        """Stall in the second pass of a rate."""
        self._armed.write_text(f"-b:v {kbps:.3f}k\n-pass 2\n")

    def hang(self, words: str) -> None:
        """Stall where these words stand."""
        self._armed.write_text(f"{words}\n")

    def disarm(self) -> None:
        self._armed.unlink()
        self._calls.unlink(missing_ok=True)

    def calls(self, *words: str) -> list[str]:
        """Calls that hold all these words."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [line for line in lines if all(word in line for word in words)]


@pytest.fixture
def spy(tmp_path_factory, ffmpeg) -> Spy:
    return Spy(tmp_path_factory.mktemp("spy"), ffmpeg.path)
