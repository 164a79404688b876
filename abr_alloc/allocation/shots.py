"""The scenes of one title and all allocations over them that a design asks for, each worked out once.

A ladder per shot is designed for every pair of codecs, and beside it the one without a limit; what it gains is read off
the same allocations.

Axes: S scenes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.shot_allocation import ShotAllocation, TitleShots
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.solver import FIT
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import InfeasibleLadderError
from abr_alloc.targets import Target

__all__ = ["Shots"]

Floats = npt.NDArray[np.float64]


class Shots:
    """The scenes of a title that are encoded each by itself, by what, and what their rates can be spread as."""

    def __init__(
        self, scenes: Sequence[QualitySurface], encoders: Mapping[str, VideoEncoder], options: DesignOptions
    ) -> None:
        """Hold them; nothing is worked out yet.

        Args:
            scenes: as they were measured, in order, (S,).
            encoders: encoders by the names that targets have for them, a codec's usual one by the codec's name.
            options: what is asked of the ladder: its sizes and overhead.
        """
        self.scenes, self.encoders = tuple(scenes), encoders
        self._options = options
        self._titles: dict[str, TitleShots] = {}
        self._offered: dict[str, Floats] = {}
        self._best: dict[tuple[str, AudioIdentity, ShotRules], list[ShotAllocation]] = {}
        self._constant: dict[tuple[str, AudioIdentity, ShotRules], list[ShotAllocation]] = {}

    def _title(self, codec: str) -> TitleShots:
        if codec not in self._titles:
            self._titles[codec] = TitleShots(
                self.scenes,
                codec,
                overhead=self._options.overhead,
                encoders=self.encoders,
                sides_px=self._options.rules.sides_px,
            )
        return self._titles[codec]

    def best(self, codec: str, audio: AudioIdentity, rules: ShotRules, offered_kbps: Floats) -> list[ShotAllocation]:
        """The best allocations at mean video rates, as `TitleShots.allocate` gives them."""
        key = codec, audio, rules
        if key not in self._best:
            self._offered[codec] = offered_kbps
            self._best[key] = self._title(codec).allocate(audio, rules, offered_kbps)
        return self._best[key]

    def constant(self, codec: str, audio: AudioIdentity, rules: ShotRules) -> list[ShotAllocation]:
        """One value for the whole title, as `TitleShots.constant` gives it; their proofs are none. Empty where none
        keeps the limits, or no size was probed in all scenes."""
        key = codec, audio, rules
        if key not in self._constant:
            self._constant[key] = []
            with contextlib.suppress(InfeasibleLadderError):
                self._constant[key] = self._title(codec).constant(audio, rules, prove=False)
        return self._constant[key]

    def constant_within(self, codec: str, audio: AudioIdentity, rules: ShotRules) -> list[ShotAllocation]:
        """Of those the dearest of each size within every rate that `best` was asked for."""
        made = self.constant(codec, audio, rules)
        found: list[ShotAllocation] = []
        for size in dict.fromkeys((one.encoder, one.width_px, one.height_px) for one in made):
            own = [one for one in made if (one.encoder, one.width_px, one.height_px) == size]
            rates = np.array([one.video_kbps for one in own])
            last = np.unique(np.searchsorted(rates, self._offered[codec], side="right") - 1)
            found += [own[i] for i in last[last >= 0].tolist()]
        return found

    def proven(self, ladder: Ladder, rules: ShotRules) -> Ladder:
        """A ladder whose rungs of one value for the whole title say how much better an allocation of their very rate
        is; until then they are bounded by allocations of a higher one."""
        return dataclasses.replace(ladder, rungs=tuple(self._proven(rung, rules) for rung in ladder.rungs))

    def _proven(self, rung: Rung, rules: ShotRules) -> Rung:
        video, proof = rung.video, rung.shot_proof
        if proof is None or len({(shot.target, shot.width_px) for shot in video.shots}) > 1 or len(video.shots) == 1:
            return rung
        rate = np.array([video.bitrate_kbps * (1.0 + FIT)])
        bounds = [
            one.proof.upper_bound_mos
            for one in self._title(video.codec).allocate(rung.audio.identity, rules, rate)
            if one.encoder == Target(video.target).encoder
            and (rules.free_size or (one.width_px, one.height_px) == (video.width_px, video.height_px))
        ]
        bound = min(proof.upper_bound_mos, max([*bounds, proof.objective_mos]))
        return dataclasses.replace(rung, shot_proof=dataclasses.replace(proof, upper_bound_mos=bound))

    def made(self, codec: str, rules: ShotRules, audio_codecs: Collection[str]) -> list[ShotAllocation]:
        """The best allocations of a video codec that were asked for so far, beside audio of some codecs."""
        return [
            one
            for (own, audio, asked), made in self._best.items()
            if (own, asked) == (codec, rules) and audio[0] in audio_codecs
            for one in made
        ]
