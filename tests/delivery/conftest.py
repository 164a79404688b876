"""What the tests of delivery share: an ffmpeg that tells what it was asked, and a delivery packaged in every way."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from abr_alloc.cli import main

from ..conftest import work_in_threads


@pytest.fixture(scope="module", autouse=True)
def delivered_in_threads() -> Iterator[None]:
    """Threads of this process work for commands in it: a worker process imports for longer than it encodes. What is
    about processes starts the command as one."""
    with pytest.MonkeyPatch.context() as patch:
        work_in_threads(patch)
        yield


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


@pytest.fixture(scope="session")
def packaged(make_media, write_ladder, tmp_path_factory) -> Path:
    """Five seconds in segments of two, key frames every second, each rendition one file, and audio alone."""
    source = make_media(
        "packaged.mkv",
        "lavfi:testsrc2=size=160x90:rate=24:duration=5,noise=alls=8:allf=t",
        "lavfi:aevalsrc=0.3*sin(2*PI*440*t)|0.3*sin(2*PI*660*t):s=48000:d=5",
        *("-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    )
    ladder = write_ladder("96x54 60 + aac 32", "160x90 180 + aac 64", title="packaged")
    folder = tmp_path_factory.mktemp("packaged") / "stream"
    shutil.copy(ladder, folder.parent)
    asked = ("--segment", "2s", "--gop", "1s", "--single-file", "--audio-only", "--preset", "ultrafast", "--jobs", "2")
    with pytest.MonkeyPatch.context() as patch:
        work_in_threads(patch)
        patch.setattr(
            sys, "argv", ["abr-alloc", "encode", str(source), "--ladder", str(ladder), "-o", str(folder), *asked]
        )
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return folder
