"""Who hears audio renditions, by family of audio features: from samples to what the cache keeps of a comparison.

A judge has heard the source of a scene once and is then called for each of its renditions. Everything that measures
audio asks here, so that a family is added in one place, and its entries have one form wherever they come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import AUDIO_FAMILIES, LISTENER, VISQOL

__all__ = ["AUDIO_SCORES", "AudioJudge", "audio_judge", "comparison_version", "family_words"]

Samples = npt.NDArray[np.floating]

AudioJudge = Callable[[Samples], dict[str, Any]]
"""From a rendition's samples, stereo at 48 kHz, (T, 2), to the entry of its comparison: `audio_features`, and those of
`AUDIO_SCORES` that its family has."""

AUDIO_SCORES = ("visqol_mos", "audio_mos", "audio_spread_mos")
"""Numbers of an entry that a row of the feature table takes over, in the table's order."""


def audio_judge(family: str, source: Samples) -> AudioJudge:
    """Hear a scene's source.

    Args:
        family: name of the family.
        source: stereo samples at 48 kHz, full scale 1, (T, 2), at least 0.96 s of them.
    """
    # Networks and regressions are read where somebody listens, and nowhere else.
    if family == LISTENER.name:
        from abr_alloc.listener.hearing import ListenerReference

        heard = ListenerReference(source)

        def listen(pcm: Samples) -> dict[str, Any]:
            found = heard.score(pcm)
            return {"audio_mos": found.mos, "audio_spread_mos": found.spread_mos, "audio_features": found.features}

        return listen

    from abr_alloc.visqol.score import AudioReference

    reference = AudioReference(source)

    def compare(pcm: Samples) -> dict[str, Any]:
        score = reference.score(pcm)
        return {"visqol_mos": score.visqol_mos, "audio_mos": score.audio_mos, "audio_features": score.features}

    return compare


def comparison_version(family: str) -> str:
    """What the key of a comparison says of who made it."""
    return " ".join(family_words(family).values())


def family_words(family: str) -> dict[str, Any]:
    """What a table's metadata say of who made its audio features."""
    about = {"audio_feature_version": AUDIO_FAMILIES[family].version}
    if family != VISQOL.name:
        return about
    from abr_alloc.visqol.score import visqol_version

    return {**about, "visqol_version": visqol_version()}
