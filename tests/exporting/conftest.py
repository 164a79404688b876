"""Ladders to export: rungs with the fields that a test is about."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction

import pytest

from abr_alloc.allocation.rung import Rung
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.exporting.planned import LadderPlan

VIDEO = VideoRendition(codec="h264", width_px=640, height_px=360, target="b=900k", bitrate_kbps=900.0)
AUDIO = AudioRendition(codec="aac", channels=2, target="b=96k", bitrate_kbps=97.35)
RUNG = Rung(video=VIDEO, audio=AUDIO, total_kbps=1017.3, avq_mos=3.5, interval_mos=(3.2, 3.8), played_share=1.0)


def _rung(*, video: dict | None = None, audio: dict | None = None, avq_mos: float = 3.5) -> Rung:
    return dataclasses.replace(
        RUNG,
        video=dataclasses.replace(VIDEO, **video or {}),
        audio=dataclasses.replace(AUDIO, **audio or {}),
        avq_mos=avq_mos,
    )


def _plan(*rungs: Rung, fps: Fraction = Fraction(24), title: str = "a title") -> LadderPlan:
    return LadderPlan(title=title, rungs=rungs, fps=fps, duration_s=10.0, overhead=0.02)


@pytest.fixture(scope="session")
def rung() -> Callable[..., Rung]:
    """A maker of rungs: `rung(video={"codec": "hevc"}, audio={"channels": 1})`."""
    return _rung


@pytest.fixture(scope="session")
def plan() -> Callable[..., LadderPlan]:
    """A maker of plans: `plan(rung, rung, fps=Fraction(24))`."""
    return _plan


@pytest.fixture(scope="session")
def small_plan(rung, plan) -> Callable[..., LadderPlan]:
    """A maker of ladders that encode at once: three rungs, two videos, two audio renditions, by codec."""

    def make(video_codec: str = "h264", audio_codec: str = "aac", **words) -> LadderPlan:
        low = {"codec": video_codec, "width_px": 128, "height_px": 72, "target": "b=60k", "bitrate_kbps": 60.0}
        high = {"codec": video_codec, "width_px": 256, "height_px": 144, "target": "b=200k", "bitrate_kbps": 200.0}
        thin = {"codec": audio_codec, "target": "b=64k", "bitrate_kbps": 64.2}
        rich = {"codec": audio_codec, "target": "b=128k", "bitrate_kbps": 128.4}
        return plan(
            rung(video=low, audio=thin, avq_mos=2.5),
            rung(video=high, audio=thin, avq_mos=3.25),
            rung(video=high, audio=rich, avq_mos=3.5),
            **words,
        )

    return make
