"""The scenes of one title and all allocations over them that a design asks for, each worked out once.

A ladder per shot is designed for every pair of codecs, and beside it the one without a limit; what it gains is read off
the same allocations.

Axes: S scenes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from abr_alloc.allocation.design_options import DesignOptions
from abr_alloc.allocation.rendition import AudioIdentity
from abr_alloc.allocation.shot_allocation import ShotAllocation, TitleShots
from abr_alloc.allocation.shot_rules import ShotRules
from abr_alloc.allocation.surface import QualitySurface
from abr_alloc.encoders import VideoEncoder

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
            self._best[key] = self._title(codec).allocate(audio, rules, offered_kbps)
        return self._best[key]

    def constant(self, codec: str, audio: AudioIdentity, rules: ShotRules) -> list[ShotAllocation]:
        """One value for the whole title, as `TitleShots.constant` gives it; their proofs are none."""
        key = codec, audio, rules
        if key not in self._constant:
            self._constant[key] = self._title(codec).constant(audio, rules, prove=False)
        return self._constant[key]

    def made(self, codec: str, rules: ShotRules) -> list[ShotAllocation]:
        """The best allocations of a codec that were asked for so far, beside whatever audio."""
        return [one for (own, _, asked), made in self._best.items() if (own, asked) == (codec, rules) for one in made]
