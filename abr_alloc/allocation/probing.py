"""Which video renditions of a grid are measured, chosen as measurements come in, and what is estimated of the others.

Two corners of the grid come first: the cheapest rendition (smallest size, coarsest quality) and the most expensive
(largest, finest). From these the rate and the features of all others are estimated (`surrogate.py`), with how far
they may be off. The next probes are those that leave the least error of AVQ in all the grid, where a rendition counts
by how near it lies to the upper envelope of AVQ over the rate: plans live there. An error of the rate is one of AVQ,
too, by the slope of the curve. This is sequential design in the manner of Jones, Schonlau and Welch, Journal of Global
Optimization 13, 1998.

A quarter of an encoder's renditions is measured, and more, up to two fifths, while the error expected is not small.
Then every rendition that was not measured gets a row with its estimates, so plans rest on the whole grid, and the title
an error bound: what 95 % of predictions lie within, tried on titles that nothing was fitted to. Audio is held at its
best rendition, where the video matters most. Everything follows from the measurements alone, so the same probes are
taken whatever runs beside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from abr_alloc.allocation.estimated_rows import estimated_rows, sorted_rows
from abr_alloc.allocation.probe_curves import (
    AvqEstimate,
    C,
    Candidate,
    by_encoder,
    estimate_avq,
    estimate_curves,
    identity,
    pixels,
    quality,
)
from abr_alloc.allocation.rendition import VIDEO_IDENTITY
from abr_alloc.allocation.surrogate import QUANTITIES, CurvePrior, Estimate, given, load_prior
from abr_alloc.models.audio_reading import does_read, family_read
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.screens import best_audio
from abr_alloc.table.table import FeatureTable
from abr_alloc.targets import Target

__all__ = ["LEAST_PROBES", "LEAST_SHARE", "MOST_SHARE", "Candidate", "Prober", "can_be_thinned"]

LEAST_SHARE, MOST_SHARE = 0.25, 0.4
"""Parts of an encoder's renditions that are measured, rounded down and up: how many lies between."""
LEAST_PROBES = 3
"""Probes of every encoder, at least: with two, nothing says how the curves bend."""
_LEAST_GRID = 8
"""Smaller grids are measured whole."""
_ENOUGH_MOS = 0.045
"""Standard deviation of predicted AVQ below which no more than the least is measured, MOS."""
_ROUND = 3
"""Probes of a round: they share decodes, and each one is chosen less well."""


def can_be_thinned(own: Sequence[Candidate]) -> bool:
    """Whether some of an encoder's renditions say enough of the others: its codec's usual one, qualities, not too few.

    An encoder that a grid names may do anything, and some are delivered by the quality that came to the planned rate,
    for which no estimate is good enough.
    """
    return len(own) >= _LEAST_GRID and not Target(own[0].target).encoder and all(quality(c) is not None for c in own)


def least_probes(num_candidates: int) -> int:
    """How many of an encoder's renditions are measured, at least."""
    return max(LEAST_PROBES, math.floor(num_candidates * LEAST_SHARE))


class Prober:
    """Chooses a title's probes, and estimates the rest."""

    def __init__(self, model: Model, prior: CurvePrior | None = None) -> None:
        """`model`: whose AVQ is to be the grid's; `prior`: what is known of any title, the one that ships when None."""
        self._model, self._prior = model, load_prior() if prior is None else prior

    def first_probes(self, candidates: Sequence[C]) -> list[C]:
        """What is measured before anything is known of a title: of each encoder its corners, or all of a small grid.

        Args:
            candidates: every video rendition of the grid.
        """
        wanted: list[C] = []
        for own in by_encoder(candidates):
            if not can_be_thinned(own):
                wanted += own
                continue
            corners = [0, len(own) - 1]
            if least_probes(len(own)) > LEAST_PROBES:  # the middle of the largest size
                largest = [i for i, c in enumerate(own) if pixels(c) == pixels(own[-1])]
                corners.append(largest[len(largest) // 2])
            wanted += [own[i] for i in dict.fromkeys(corners)]
        return wanted

    def next_probes(self, measured: FeatureTable, candidates: Sequence[C]) -> list[C]:
        """The renditions to measure next, few at a time; none when those measured are enough.

        An encoder that cannot be thinned (`can_be_thinned`) is measured whole: nothing is estimated of it.

        Args:
            measured: one title, with all its audio rows and the video rows measured so far, perhaps none.
            candidates: every video rendition of the grid, measured or not.

        Raises:
            CheckpointError: the model was trained on other features.
        """
        video = measured.of_kind("video")
        done = set(zip(*(video[name].tolist() for name in VIDEO_IDENTITY), strict=True))
        first = [c for c in self.first_probes(candidates) if identity(c) not in done]
        if first:
            return first
        wanted: list[C] = []
        for own in by_encoder(candidates):
            known = [i for i, c in enumerate(own) if identity(c) in done]
            if can_be_thinned(own) and len(known) < math.ceil(len(own) * MOST_SHARE):
                wanted += [own[i] for i in self._choose(own, known, measured)]
        return wanted

    def _choose(self, own: Sequence[Candidate], known: list[int], measured: FeatureTable) -> list[int]:
        estimate, avq = self._title(own, known, measured)
        square = avq.weight**2
        missing = least_probes(len(own)) - len(known)
        if missing <= 0:
            if avq.error(estimate) < _ENOUGH_MOS:
                return []
            missing = 1
        chosen: list[int] = []
        for _ in range(min(_ROUND, missing)):
            left = [i for i in range(len(own)) if i not in known and i not in chosen]
            after = {i: square * avq.variance(given(estimate, [*chosen, i], None)) for i in left}
            # The square of the variance: large errors count more.
            chosen.append(min(left, key=lambda i: (float(after[i] @ after[i]), i)))
        return chosen

    def _title(
        self, own: Sequence[Candidate], known: Sequence[int], measured: FeatureTable
    ) -> tuple[Estimate, AvqEstimate]:
        """What is estimated of the mean over a title's time."""
        model = self._model
        rows = _mean_over_time(measured, [own[i] for i in known], model.video_features)
        estimate = estimate_curves(self._prior, own, known, rows)
        audio = measured.of_kind("audio")
        if does_read(model.card, measured.metadata.audio_feature_version):
            x_a = model.audio_inputs(audio[audio["audio_mos"] == audio["audio_mos"].max()].iloc[:1])
        else:  # of audio features that it does not read; what is probed are videos, and under good audio
            x_a = best_audio(model.audio_features, model.predictor.neutral[0], family_read(model.card))
        return estimate, estimate_avq(model, own, estimate, rows, x_a)

    def completed(self, measured: FeatureTable, candidates: Sequence[Candidate]) -> FeatureTable:
        """A title's table with a row for every rendition of the grid: those not measured are estimated.

        Args:
            measured: one title, as `next_probes` left it.
            candidates: every video rendition of the grid.
        """
        video = measured.of_kind("video")
        done = set(zip(*(video[name].tolist() for name in VIDEO_IDENTITY), strict=True))
        found: list[pd.DataFrame] = []
        errors: list[float] = []
        for own in by_encoder(candidates):
            known = [i for i, c in enumerate(own) if identity(c) in done]
            if not can_be_thinned(own) or len(known) in (0, len(own)):
                continue
            estimate, avq = self._title(own, known, measured)
            errors.append(self._prior.factor * avq.error(estimate))
            found.append(estimated_rows(self._prior, own, known, video))
        if not found:
            return measured
        title = str(measured.frame["title"].iloc[0])
        about = replace(measured.metadata, within_mos={title: round(max(errors), 4)})
        return FeatureTable(sorted_rows(pd.concat([measured.frame, *found], ignore_index=True)), about)


def _mean_over_time(measured: FeatureTable, own: Sequence[Candidate], further: Sequence[str]) -> pd.DataFrame:
    """Measured columns of some renditions, each the mean over the title's time."""
    video = measured.of_kind("video")
    title = str(video["title"].iloc[0])
    stands_for_s = measured.metadata.weights_s.get(title, {})
    seconds = np.array(
        [
            stands_for_s.get(str(scene), end_s - start_s)
            for scene, start_s, end_s in zip(video["scene"], video["start_s"], video["end_s"], strict=True)
        ],
        dtype=np.float64,
    )
    names = list(dict.fromkeys((*QUANTITIES, *further)))
    values = video[names].to_numpy(dtype=np.float64) * seconds[:, None]
    keys = list(zip(*(video[name].tolist() for name in VIDEO_IDENTITY), strict=True))
    rows = []
    for candidate in own:
        mine = np.array([key == identity(candidate) for key in keys])
        rows.append(values[mine].sum(axis=0) / seconds[mine].sum())
    return pd.DataFrame(rows, columns=names)
