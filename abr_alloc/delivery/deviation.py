"""What was predicted beside what was measured, rung by rung, and how far apart the two may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from abr_alloc import defaults
from abr_alloc.arguments import require_number
from abr_alloc.exporting.presentation import Variant
from abr_alloc.formats.delivery_record import Delivery, PlannedRung

__all__ = ["LadderDeviation", "RungDeviation", "SurroundDeviation", "Tolerance", "compare_rungs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far a delivered rung may be from its prediction."""

    rate: float = defaults.RATE_TOLERANCE
    """Of its total rate, as a share of the predicted."""
    avq: float = defaults.AVQ_TOLERANCE_MOS
    """Of its AVQ, MOS."""

    def __post_init__(self) -> None:
        require_number("rate", self.rate, 0.0, above=True)
        require_number("avq", self.avq, 0.0, above=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurroundDeviation:
    """The surround of a rung as predicted and as delivered, beside the same video; all rates with container, kbps."""

    audio: str
    """Folder of its audio."""
    predicted_kbps: float
    """Total rate of the ladder."""
    measured_kbps: float
    """Mean rate of its segments."""
    audio_kbps: float
    """The audio's part of it."""
    peak_kbps: float
    """Sum of its streams' peak segment bit rates."""
    predicted_mos: float
    """AVQ of the ladder."""
    measured_mos: float | None
    """AVQ of what was delivered; None where there was no source to hold it against."""

    @property
    def rate_deviation(self) -> float:
        """Measured above predicted, as a share of the predicted."""
        return self.measured_kbps / self.predicted_kbps - 1.0

    @property
    def avq_deviation_mos(self) -> float | None:
        """Measured above predicted, MOS."""
        return None if self.measured_mos is None else self.measured_mos - self.predicted_mos


@dataclass(frozen=True, slots=True, kw_only=True)
class RungDeviation:
    """One rung as predicted and as delivered; all rates with container, kbps."""

    number: int
    """Place in the ladder, from 1."""
    video: str
    """Folder of its video."""
    audio: str
    """Folder of its audio."""
    predicted_kbps: float
    """Total rate of the ladder."""
    measured_kbps: float
    """Mean rate of its segments."""
    video_kbps: float
    """The video's part of it."""
    audio_kbps: float
    """The audio's part of it."""
    peak_kbps: float
    """Sum of its streams' peak segment bit rates."""
    predicted_mos: float
    """AVQ of the ladder."""
    measured_mos: float | None
    """AVQ of what was delivered; None where there was no source to hold it against."""
    predicted_vmaf: float | None = None
    """VMAF of the ladder's video; None where the ladder does not say."""
    measured_vmaf: float | None = None
    """VMAF of the video that was delivered; None as for AVQ."""
    predicted_scenes_mos: tuple[float, ...] = ()
    """AVQ of every scene of the ladder, where each is encoded with its own parameters; else empty."""
    measured_scenes_mos: tuple[float, ...] = ()
    """The same of what was delivered; empty as AVQ is None."""
    window_peak_kbps: float | None = None
    """Largest mean rate of its video's pictures over a window of a segment's length, kbps; None where nobody looked."""
    surround: SurroundDeviation | None = None
    """What it offers to who plays surround; None where it has none, or nobody looked."""

    @property
    def worst_scene(self) -> int | None:
        """Number of the scene with the lowest AVQ, from 1: as measured, else as predicted."""
        found = self.measured_scenes_mos or self.predicted_scenes_mos
        return min(range(len(found)), key=found.__getitem__) + 1 if found else None

    @property
    def rate_deviation(self) -> float:
        """Measured above predicted, as a share of the predicted."""
        return self.measured_kbps / self.predicted_kbps - 1.0

    @property
    def avq_deviation_mos(self) -> float | None:
        """Measured above predicted, MOS."""
        return None if self.measured_mos is None else self.measured_mos - self.predicted_mos

    def misses(self, tolerance: Tolerance) -> float:
        """The largest of its deviations, in tolerances: above 1 it is beyond them. Those of its surround count."""
        own = _misses(self.rate_deviation, self.avq_deviation_mos, tolerance)
        if self.surround is None:
            return own
        return max(own, _misses(self.surround.rate_deviation, self.surround.avq_deviation_mos, tolerance))


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderDeviation:
    """A whole ladder as predicted and as delivered."""

    rungs: tuple[RungDeviation, ...]
    """By rising rate."""
    promised_peak_kbps: float | None = None
    """Largest mean rate of a video over a window of a segment's length, kbps; None where nothing is promised."""

    @property
    def keeps_peak(self) -> bool:
        """Whether no video is above the promised peak, as far as was looked."""
        limit_kbps = self.promised_peak_kbps
        return limit_kbps is None or all((rung.window_peak_kbps or 0.0) <= limit_kbps for rung in self.rungs)

    @property
    def largest_rate_deviation(self) -> float:
        """The rate deviation that is farthest from 0."""
        return max((rung.rate_deviation for rung in self.rungs), key=abs)

    @property
    def largest_avq_deviation_mos(self) -> float | None:
        """The AVQ deviation that is farthest from 0; None where none was measured."""
        found = [rung.avq_deviation_mos for rung in self.rungs if rung.avq_deviation_mos is not None]
        return max(found, key=abs) if found else None

    def keeps(self, tolerance: Tolerance) -> bool:
        """Whether every rung is within a tolerance, and no video above the promised peak."""
        return self.keeps_peak and all(rung.misses(tolerance) <= 1.0 for rung in self.rungs)


def _misses(rate_deviation: float, avq_deviation_mos: float | None, tolerance: Tolerance) -> float:
    return max(abs(rate_deviation) / tolerance.rate, abs(avq_deviation_mos or 0.0) / tolerance.avq)


def compare_rungs(
    delivery: Delivery,
    variants: Sequence[Variant],
    avq_mos: Mapping[tuple[str, str], float],
    vmaf: Mapping[str, float] | None = None,
    scenes_mos: Mapping[tuple[str, str], tuple[float, ...]] | None = None,
    window_peaks_kbps: Mapping[str, float] | None = None,
    surround: Sequence[Variant | None] = (),
) -> LadderDeviation:
    """Set side by side.

    Args:
        delivery: what was predicted.
        variants: what its segments are.
        avq_mos: measured AVQ by names of video and audio; empty where it was not measured.
        vmaf: measured VMAF by name of the video; None where it was not measured.
        scenes_mos: measured AVQ of every scene by names of video and audio; None where it was not measured.
        window_peaks_kbps: largest mean rate over a window of a segment's length by name of the video.
        surround: what the segments of every rung with its surround are; empty where nobody looked.
    """
    return LadderDeviation(
        rungs=tuple(
            RungDeviation(
                number=number,
                video=rung.video,
                audio=rung.audio,
                predicted_kbps=rung.total_kbps,
                measured_kbps=variant.average_bits_per_s / 1000.0,
                video_kbps=variant.video.average_bits_per_s / 1000.0,
                audio_kbps=variant.audio.average_bits_per_s / 1000.0,
                peak_kbps=variant.peak_bits_per_s / 1000.0,
                predicted_mos=rung.avq_mos,
                measured_mos=avq_mos.get((rung.video, rung.audio)),
                predicted_vmaf=rung.vmaf,
                measured_vmaf=(vmaf or {}).get(rung.video),
                predicted_scenes_mos=_scenes_mos(delivery, rung),
                measured_scenes_mos=(scenes_mos or {}).get((rung.video, rung.audio), ()),
                window_peak_kbps=(window_peaks_kbps or {}).get(rung.video),
                surround=_surround(rung, beside, avq_mos),
            )
            for number, (rung, variant, beside) in enumerate(
                zip(delivery.rungs, variants, surround or [None] * len(variants), strict=True), start=1
            )
        ),
        promised_peak_kbps=delivery.peak_kbps,
    )


def _surround(
    rung: PlannedRung, variant: Variant | None, avq_mos: Mapping[tuple[str, str], float]
) -> SurroundDeviation | None:
    if rung.surround is None or variant is None:
        return None
    return SurroundDeviation(
        audio=rung.surround.audio,
        predicted_kbps=rung.surround.total_kbps,
        measured_kbps=variant.average_bits_per_s / 1000.0,
        audio_kbps=variant.audio.average_bits_per_s / 1000.0,
        peak_kbps=variant.peak_bits_per_s / 1000.0,
        predicted_mos=rung.surround.avq_mos,
        measured_mos=avq_mos.get((rung.video, rung.surround.audio)),
    )


def _scenes_mos(delivery: Delivery, rung: PlannedRung) -> tuple[float, ...]:
    """AVQ of every scene of a rung, by its shots: mostly one, more where some are too short to be compared."""
    if not rung.shots_mos:
        return ()
    shots = delivery.video(rung.video).shots
    found = []
    for start_s, end_s in delivery.scenes_s:
        first, end = (round(at_s * Fraction(delivery.fps)) for at_s in (start_s, end_s))
        inside = [
            (mos, s.num_frames) for mos, s in zip(rung.shots_mos, shots, strict=True) if first <= s.first_frame < end
        ]
        found.append(sum(mos * frames for mos, frames in inside) / max(1, sum(frames for _, frames in inside)))
    return tuple(found)
