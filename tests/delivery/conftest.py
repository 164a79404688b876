"""What the tests of delivery share: an ffmpeg that tells what it was asked, and orders by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from abr_alloc.formats.delivery_record import AudioOrder, Delivery, PlannedRung, VideoOrder


class Spy:
    """An ffmpeg that writes down every call and, where it is armed, stalls in the second pass of a rate."""

    def __init__(self, folder: Path, program: str) -> None:
        self.path, self._calls, self._armed = folder / "ffmpeg", folder / "calls", folder / "armed"
        self.stalled = folder / "stalled"
        self.path.write_text(
            "#!/bin/sh\n"
            f"echo \"$*\" >> '{self._calls}'\n"
            f"if [ -e '{self._armed}' ]; then case \"$*\" in\n"
            f"*\"-b:v $(cat '{self._armed}')k\"*'-pass 2'*) touch '{self.stalled}'; exec sleep 300;;\n"
            "esac; fi\n"
            f"exec '{program}' \"$@\"\n"
        )
        self.path.chmod(0o755)

    def arm(self, kbps: float) -> None:
        self._armed.write_text(f"{kbps:.3f}")

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


def _order(name: str, kbps: float) -> VideoOrder:
    return VideoOrder(
        name=name, codec="h264", width_px=64, height_px=36, preset="fast", planned_kbps=kbps, asked_kbps=kbps
    )


@pytest.fixture
def order() -> Delivery:
    """Three rungs of two video and two audio renditions."""
    audios = [
        AudioOrder(name=f"audio/aac-{kbps}k", codec="aac", channels=2, target=f"b={kbps}k", planned_kbps=kbps)
        for kbps in (32, 64)
    ]
    rungs = [("video/a", "audio/aac-32k", 150.0, 3.0), ("video/b", "audio/aac-32k", 250.0, 3.4)]
    rungs.append(("video/b", "audio/aac-64k", 300.0, 3.6))
    return Delivery(
        title="film",
        source="../film.mp4",
        source_hash="0" * 64,
        num_frames=312,
        fps="24000/1001",
        scenes_s=((0.0, 6.5), (6.5, 13.013)),
        model="attentive",
        weights_sha256="",
        ffmpeg_version="7",
        threads=1,
        language="und",
        label="Audio",
        videos=(_order("video/a", 100.0), _order("video/b", 200.0)),
        audios=tuple(audios),
        rungs=tuple(PlannedRung(video=v, audio=a, total_kbps=kbps, avq_mos=mos) for v, a, kbps, mos in rungs),
    )
