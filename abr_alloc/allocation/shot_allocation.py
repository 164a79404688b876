"""The best allocations of a title whose scenes are encoded each with its own parameters.

For every encoder and size that was probed (or every encoder, where scenes of a rung may differ in size), beside one
audio rendition, at each of many mean rates: the choice among what the scenes can be asked for (`shot_options.py`) whose
pooled AVQ is highest (`shot_search.py`), with its proof. One value for the whole title is one of these choices, so
none is worse than the best such value at its rate.

Axes: S scenes, P options of one encoder and size, or of all sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.allocation.prediction import AVQ_RANGE
from abr_alloc.allocation.rendition import AudioIdentity, AudioRendition, VideoRendition
from abr_alloc.allocation.rung import ShotProof
from abr_alloc.allocation.shot_case import ShotCase, list_shot_cases
from abr_alloc.allocation.shot_options import list_options
from abr_alloc.allocation.shot_problem import ShotChoice
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.shot_search import find_choices
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder
from abr_alloc.targets import Target

__all__ = ["WINDOW_S", "ShotAllocation", "TitleShots", "allocate_shots", "constant_allocations"]

WINDOW_S = 6.0
"""Length of the windows that `peak_kbps` bounds where nothing else is said, seconds: a segment's."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotAllocation:
    """A rendition whose scenes have parameters of their own, beside the audio that it was made for.

    There are thousands of them and a ladder takes a few: what is long (`video`, `audio`, `shots_mos`) is written out
    when somebody asks for it.
    """

    encoder: str
    """Name of the encoder in targets; empty for the codec's usual one."""
    width_px: int
    """Width, of the largest size, pixels."""
    height_px: int
    """Height, likewise."""
    video_kbps: float
    """Mean video rate over time, kbps."""
    audio_kbps: float
    """Mean audio rate over time, kbps."""
    total_kbps: float
    """Mean over time of video and audio, with overhead, kbps."""
    avq_mos: float
    """Mean AVQ over time, MOS, whatever the pool."""
    pooled_mos: float
    """AVQ pooled over time as `ShotRules.pool` says, MOS."""
    worst_mos: float
    """AVQ of the worst scene, MOS."""
    proof: ShotProof
    """How good it is."""
    constant: bool = False
    """Whether all scenes have one value."""
    _case: ShotCase = field(repr=False, compare=False)
    _choice: npt.NDArray[np.intp] = field(repr=False)

    @property
    def shots_mos(self) -> tuple[float, ...]:
        """AVQ of every scene, MOS, (S,)."""
        return tuple(self._case.avq_of(self._choice).tolist())

    @property
    def audio(self) -> AudioRendition:
        """The audio, one rendition for the whole title; its rate is the mean over time."""
        return self._case.audio

    @property
    def video(self) -> VideoRendition:
        """The video with its shots; its target is `b=` its mean rate, or the one value that all scenes have."""
        shots = self._case.shots(self._choice)
        vmaf = [shot.vmaf for shot in shots]
        known = [score for score in vmaf if score is not None]
        mean = float(self._case.time_share @ np.array(known)) if len(known) == len(vmaf) else None
        target = shots[0].target if self.constant else str(Target.of_kbps(self.video_kbps, self.encoder))
        return VideoRendition(
            codec=self._case.codec,
            width_px=self.width_px,
            height_px=self.height_px,
            target=target,
            bitrate_kbps=self.video_kbps,
            vmaf=mean,
            shots=shots,
        )


class TitleShots:
    """A title whose scenes are encoded each with its own parameters: its options, worked out once for all audio."""

    def __init__(
        self,
        scenes: Sequence[QualitySurface],
        codec: str,
        *,
        overhead: float = defaults.OVERHEAD,
        encoders: Mapping[str, VideoEncoder] | None = None,
        sides_px: Sequence[tuple[int, int]] = (),
        window_s: float = WINDOW_S,
    ) -> None:
        """Look at what the scenes offer.

        Args:
            scenes: measured surfaces of one title, in order; not those of a digest.
            codec: video codec.
            overhead: container overhead as a share of the streams' rate.
            encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name; they
                say which values may be asked for. Any multiple of the usual step where one is not given.
            sides_px: allowed ranges of the short side, pixels, inclusive; empty for all.
            window_s: length of the windows that `peak_kbps` bounds, seconds.
        """
        self._scenes, self._codec, self._overhead, self._window_s = scenes, codec, overhead, window_s
        self._options = list_options(scenes, codec, encoders=encoders, sides_px=sides_px)

    def allocate(self, audio: AudioIdentity, rules: ShotRules, video_kbps: Floats) -> list[ShotAllocation]:
        """The best allocations beside one audio rendition.

        Args:
            audio: the audio rendition; every scene has it.
            rules: pool and limits.
            video_kbps: mean video rates to offer, rising, kbps: an allocation takes no more than the one that it was
                made for, and is the best at what it takes.

        Returns:
            By encoder and size (with `rules.free_size` by encoder), then by mean rate, rising, each better than the
            one before. Empty where no rate is reached.

        Raises:
            FeatureTableError: nothing can be asked for; a scene lacks the audio; `peak_kbps` is asked for and the
                table does not hold what it takes.
            InfeasibleLadderError: no choice of any size keeps `max_rate_kbps`, `peak_kbps` or `max_step_mos`: the
                message says which, and the least that can be kept. Or no size was probed in all scenes.
        """
        budgets = np.asarray(video_kbps, dtype=np.float64)
        found: list[ShotAllocation] = []
        for case in self._cases(audio, rules, free_size=rules.free_size):
            best: ShotAllocation | None = None
            for choice in find_choices(case.problem, budgets, case.constant_choices()):
                if choice is None:
                    continue
                one = _write_out(case, rules, choice, choice.upper_bound_mos, self._overhead)
                if best is None or (one.pooled_mos, one.avq_mos) > (best.pooled_mos, best.avq_mos):
                    best = one
                    found.append(one)
        return found

    def constant(self, audio: AudioIdentity, rules: ShotRules, *, prove: bool = True) -> list[ShotAllocation]:
        """What one value (CRF, rate) for the whole title comes to: for every encoder and size each value that all
        scenes offer and that keeps the rules, by mean rate, rising.

        The bound of their proof is that of allocations of the same size and mean rate, so that its gap is what
        parameters per scene gain; without `prove`, which takes a search for each, it is the top of the scale and the
        price 0. `rules.free_size` is ignored; the other arguments and the errors are those of `allocate`.
        """
        found: list[ShotAllocation] = []
        for case in self._cases(audio, rules, free_size=False):
            choices = sorted(case.constant_choices(), key=case.problem.mean_kbps)
            if not prove:
                found += [_unproven(case, rules, choice, self._overhead) for choice in choices]
                continue
            rates = np.array([case.problem.mean_kbps(choice) for choice in choices])
            for choice, best in zip(choices, find_choices(case.problem, rates, choices), strict=True):
                assert best is not None
                pooled = case.problem.pooled_mos(choice)
                own = ShotChoice(
                    choice=choice,
                    pooled_mos=pooled,
                    upper_bound_mos=best.budget_bound_mos,
                    budget_bound_mos=best.budget_bound_mos,
                    price_mos_per_kbps=best.price_mos_per_kbps,
                )
                found.append(_write_out(case, rules, own, best.budget_bound_mos, self._overhead, constant=True))
        return found

    def _cases(self, audio: AudioIdentity, rules: ShotRules, *, free_size: bool) -> list[ShotCase]:
        return list_shot_cases(
            self._scenes,
            self._codec,
            self._options,
            audio,
            rules,
            free_size=free_size,
            overhead=self._overhead,
            window_s=self._window_s,
        )


def _unproven(case: ShotCase, rules: ShotRules, choice: npt.NDArray[np.intp], overhead: float) -> ShotAllocation:
    own = ShotChoice(
        choice=choice,
        pooled_mos=case.problem.pooled_mos(choice),
        upper_bound_mos=AVQ_RANGE[1],
        budget_bound_mos=AVQ_RANGE[1],
        price_mos_per_kbps=0.0,
    )
    return _write_out(case, rules, own, AVQ_RANGE[1], overhead, constant=True)


def allocate_shots(
    scenes: Sequence[QualitySurface],
    codec: str,
    audio: AudioIdentity,
    rules: ShotRules,
    video_kbps: Floats,
    *,
    overhead: float = defaults.OVERHEAD,
    encoders: Mapping[str, VideoEncoder] | None = None,
    sides_px: Sequence[tuple[int, int]] = (),
    window_s: float = WINDOW_S,
) -> list[ShotAllocation]:
    """The best allocations of a title beside one audio rendition: see `TitleShots`, which does several at less cost."""
    title = TitleShots(scenes, codec, overhead=overhead, encoders=encoders, sides_px=sides_px, window_s=window_s)
    return title.allocate(audio, rules, video_kbps)


def constant_allocations(
    scenes: Sequence[QualitySurface],
    codec: str,
    audio: AudioIdentity,
    rules: ShotRules,
    *,
    overhead: float = defaults.OVERHEAD,
    encoders: Mapping[str, VideoEncoder] | None = None,
    sides_px: Sequence[tuple[int, int]] = (),
    window_s: float = WINDOW_S,
) -> list[ShotAllocation]:
    """One value for the whole title beside one audio rendition: see `TitleShots.constant`."""
    title = TitleShots(scenes, codec, overhead=overhead, encoders=encoders, sides_px=sides_px, window_s=window_s)
    return title.constant(audio, rules)


def _write_out(
    case: ShotCase,
    rules: ShotRules,
    found: ShotChoice,
    upper_bound_mos: float,
    overhead: float,
    *,
    constant: bool = False,
) -> ShotAllocation:
    avq = case.avq_of(found.choice)
    video_kbps = case.problem.mean_kbps(found.choice)
    width, height = case.largest_px(found.choice)
    audio_kbps = case.audio.bitrate_kbps
    return ShotAllocation(
        encoder=case.encoder,
        width_px=width,
        height_px=height,
        video_kbps=video_kbps,
        audio_kbps=audio_kbps,
        total_kbps=(video_kbps + audio_kbps) * (1.0 + overhead),
        avq_mos=math.fsum((case.time_share * avq).tolist()),
        pooled_mos=found.pooled_mos,
        worst_mos=float(avq.min()),
        proof=ShotProof(
            pool=rules.pool,
            objective_mos=found.pooled_mos,
            upper_bound_mos=upper_bound_mos,
            price_mos_per_kbps=found.price_mos_per_kbps / (1.0 + overhead),
            peak_kbps=case.peak_kbps(found.choice),
        ),
        constant=constant,
        _case=case,
        _choice=found.choice,
    )
