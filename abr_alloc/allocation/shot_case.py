"""The cases of a title whose scenes are encoded each with its own parameters: an encoder, a size or all, an audio.

A case holds what its scenes may choose from once the limits are kept that concern a scene alone, and a choice that
keeps the others. A size that cannot keep them is left out; where no size can, the limit is named, with the least that
can be kept.

Axes: S scenes, P options of the case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.pooling import Candidates
from abr_alloc.allocation.relaxation import Choice, Floats, cheapest_choice
from abr_alloc.allocation.rendition import AudioIdentity, AudioRendition, Shot
from abr_alloc.allocation.shot_chain import StepChain
from abr_alloc.allocation.shot_options import ShotOptions
from abr_alloc.allocation.shot_problem import ShotProblem
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_windows import PeakWindows
from abr_alloc.allocation.solver import FIT
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.errors import FeatureTableError, InfeasibleLadderError

__all__ = ["ShotCase", "list_shot_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotCase:
    """One encoder and size, or all its sizes, beside one audio rendition."""

    problem: ShotProblem
    """What its scenes may choose from."""
    audio: AudioRendition
    """The audio, with its mean rate over time."""
    _scenes: Sequence[QualitySurface] = field(repr=False)
    _options: ShotOptions = field(repr=False)
    _columns: npt.NDArray[np.intp] = field(repr=False)
    """Its options among those of the encoder, (P,)."""
    _windows: PeakWindows | None = field(repr=False)
    """Windows of the title; None where the table does not tell."""

    @property
    def codec(self) -> str:
        """Video codec."""
        return self._options.codec

    @property
    def encoder(self) -> str:
        """Name of the encoder in targets."""
        return self._options.encoder

    @property
    def time_share(self) -> Floats:
        """Share of the title's time of every scene, (S,)."""
        return self.problem.candidates.time_share

    def avq_of(self, choice: Choice) -> Floats:
        """AVQ of every scene, MOS, (S,)."""
        found: Floats = self.problem.candidates.avq_mos[np.arange(len(choice)), choice]
        return found

    def largest_px(self, choice: Choice) -> tuple[int, int]:
        """Width and height of the largest size of a choice."""
        return self._options.sizes_px[int(self._options.size[self._columns[choice]].max())]

    def peak_kbps(self, choice: Choice) -> float | None:
        """Largest rate over a window; None where the table does not tell."""
        return None if self._windows is None else self._windows.peak_kbps(choice)

    def shots(self, choice: Choice) -> tuple[Shot, ...]:
        """The scenes of a choice, written out."""
        o = self._options
        found = []
        for s, (scene, column) in enumerate(zip(self._scenes, self._columns[choice].tolist(), strict=True)):
            width, height = o.sizes_px[o.size[column]]
            vmaf = float(o.vmaf[s, column])
            found.append(
                Shot(
                    start_s=scene.start_s,
                    end_s=scene.end_s,
                    width_px=width,
                    height_px=height,
                    target=str(o.target(column)),
                    bitrate_kbps=float(o.kbps[s, column]),
                    vmaf=None if math.isnan(vmaf) else vmaf,
                )
            )
        return tuple(found)

    def constant_choices(self) -> list[Choice]:
        """One option for the whole title: those that all scenes offer and that keep the limits."""
        offered = np.flatnonzero(np.isfinite(self.problem.candidates.kbps).all(axis=0))
        choices = [np.full(len(self._scenes), option) for option in offered.tolist()]
        return [choice for choice in choices if self.problem.keeps(choice)]


@dataclass(frozen=True, slots=True)
class _Shortage:
    """Why a case keeps no limit: how far it came, what it would take, and in words."""

    stage: int
    needed: float
    reason: str


def list_shot_cases(
    scenes: Sequence[QualitySurface],
    codec: str,
    options: Sequence[ShotOptions],
    audio: AudioIdentity,
    rules: ShotRules,
    *,
    free_size: bool,
    overhead: float,
    window_s: float,
) -> list[ShotCase]:
    """The cases that keep the limits, by encoder and size.

    Raises:
        FeatureTableError: nothing can be asked for; a scene lacks the audio; `peak_kbps` is asked for and the table
            does not hold what it takes.
        InfeasibleLadderError: no case keeps `max_rate_kbps`, `peak_kbps` or `max_step_mos`; no size was probed in all
            scenes.
    """
    title = scenes[0].title
    for scene in scenes:
        if not scene.duration_s > 0.0:
            raise FeatureTableError(
                f"title {title!r} scene {scene.scene} lasts {scene.duration_s:g} s; a scene must last longer than 0"
            )
    if not options:
        raise FeatureTableError(
            f"title {title!r} has no {codec} renditions that an encoder can be asked for scene by scene; extract it"
        )
    if audio not in options[0].audio:
        raise FeatureTableError(f"the scenes of title {title!r} do not share the audio {' '.join(map(str, audio))}")
    sound = [next(a for a in scene.audio if a.identity == audio) for scene in scenes]
    found: list[ShotCase] = []
    refused: list[_Shortage] = []
    for own in options:
        sizes = [np.arange(len(own.size))] if free_size else [own.of_size(z) for z in range(len(own.sizes_px))]
        for columns in sizes:
            if not np.isfinite(own.kbps[:, columns]).any(axis=1).all():
                continue
            made = _case(scenes, own, columns, sound, audio, rules, overhead, window_s)
            found += [made] if isinstance(made, ShotCase) else []
            refused += [made] if isinstance(made, _Shortage) else []
    if not found and not refused:
        raise InfeasibleLadderError(
            f"title {title!r} has no size that all its scenes were probed at; allow `free_size`, or extract it again"
        )
    if not found:
        closest = min(refused, key=lambda shortage: (-shortage.stage, shortage.needed))
        raise InfeasibleLadderError(f"title {title!r}: {closest.reason}")
    return found


def _case(
    scenes: Sequence[QualitySurface],
    options: ShotOptions,
    columns: npt.NDArray[np.intp],
    sound: Sequence[AudioRendition],
    audio: AudioIdentity,
    rules: ShotRules,
    overhead: float,
    window_s: float,
) -> ShotCase | _Shortage:
    seconds = np.array([scene.duration_s for scene in scenes])
    share = seconds / math.fsum(seconds.tolist())
    avq, kbps = options.avq_mos[options.audio.index(audio)][:, columns], options.kbps[:, columns]
    total_kbps = (kbps + np.array([a.bitrate_kbps for a in sound])[:, None]) * (1.0 + overhead)
    within = total_kbps <= rules.max_rate_kbps * (1.0 + FIT)
    if not within.any(axis=1).all():
        scene = int(total_kbps.min(axis=1).argmax())
        needed = float(total_kbps[scene].min())
        return _Shortage(
            0,
            needed,
            f"scene {scenes[scene].scene} takes {math.ceil(needed)}k at least with its audio, over `max_rate_kbps` "
            f"{rules.max_rate_kbps:g}k; raise it to {math.ceil(needed)}k, or add a cheaper rendition to the grid",
        )
    kept = within & np.isfinite(avq)
    avq, kbps = np.where(kept, avq, -np.inf), np.where(kept, kbps, np.inf)
    keeper = cheapest_choice(avq, kbps)
    if rules.max_step_mos < math.inf:
        chain = StepChain(avq, rules.max_step_mos)
        weights = chain.sorted(kbps) * share[:, None]
        (lightest,), (score,) = chain.best(np.where(np.isfinite(weights), -weights, -np.inf)[..., None])
        if not score > -math.inf:
            needed = math.ceil(chain.least_step_mos() * 100.0) / 100.0
            return _Shortage(
                1,
                needed,
                f"neighbouring scenes cannot be kept within `max_step_mos` {rules.max_step_mos:g}; raise it to "
                f"{needed:g}, or probe a wider range",
            )
        keeper = chain.order[np.arange(len(scenes)), lightest]
    windows: PeakWindows | None = None
    if options.half_second_kbit is not None:
        spread = [kbit[columns] for kbit in options.half_second_kbit]
        starts_s = [scene.start_s for scene in scenes]
        windows = PeakWindows(spread, starts_s, scenes[-1].end_s - scenes[0].start_s, window_s)
    if rules.peak_kbps < math.inf:
        if windows is None:
            raise FeatureTableError(
                f"title {scenes[0].title!r}: its feature table does not say how sizes are spread over time, which "
                "`peak_kbps` needs; extract it again: what is in the cache is not encoded again"
            )
        if not windows.keeps(keeper, rules.peak_kbps):
            needed = windows.peak_kbps(keeper)
            return _Shortage(
                2,
                needed,
                f"at its lowest rate the video takes {math.ceil(needed)}k over {window_s:g} s somewhere, over "
                f"`peak_kbps` {rules.peak_kbps:g}k; raise it to {math.ceil(needed)}k, or add a cheaper rendition to "
                "the grid",
            )
        with np.errstate(invalid="ignore"):
            kept = windows.inner_peaks_kbps() <= rules.peak_kbps
        kept[np.arange(len(keeper)), keeper] = True  # whatever rounding says
        avq, kbps = np.where(kept, avq, -np.inf), np.where(kept, kbps, np.inf)
    problem = ShotProblem(
        candidates=Candidates(avq_mos=avq, kbps=kbps, time_share=share),
        pool=rules.pool,
        max_step_mos=rules.max_step_mos,
        windows=windows if rules.peak_kbps < math.inf else None,
        peak_kbps=rules.peak_kbps,
        keeper=keeper,
        asked=options.value[columns],
    )
    return ShotCase(
        problem=problem,
        audio=_over_time(sound, share),
        _scenes=scenes,
        _options=options,
        _columns=columns,
        _windows=windows,
    )


def _over_time(sound: Sequence[AudioRendition], share: Floats) -> AudioRendition:
    """An audio rendition of the title from those of its scenes: means over time."""
    quality = [a.quality_mos for a in sound if a.quality_mos is not None]
    return AudioRendition(
        codec=sound[0].codec,
        channels=sound[0].channels,
        target=sound[0].target,
        bitrate_kbps=float(share @ np.array([a.bitrate_kbps for a in sound])),
        quality_mos=float(share @ np.array(quality)) if len(quality) == len(sound) else None,
    )
