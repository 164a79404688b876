"""One trained model held against a training set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from abr_alloc.audio_families import VISQOL, AudioFamily
from abr_alloc.errors import CheckpointError
from abr_alloc.learning.conformal import measure_held
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.scoring import Judgement, judge, judge_fixed
from abr_alloc.models.audio_quality import AUDIO_QUALITY, TRANSPARENT_MOS
from abr_alloc.models.audio_reading import family_read, reads_features, refuse_other_family
from abr_alloc.models.checkpoint import Model
from abr_alloc.models.predictor import ablation
from abr_alloc.models.relevance import importance
from abr_alloc.table.table import AUDIO_FEATURES

__all__ = ["Verdict", "at_transparent_audio", "evaluate", "transparent_audio"]

_TRANSPARENT_KBPS = 128.0  # of AAC-LC by its curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A model's predictions beside the ratings."""

    judgement: Judgement
    """Predictions, ratings, trade-offs and relevance."""
    vmaf: Judgement | None
    """VMAF beside the same ratings, as it is; None where the data do not have it."""
    coverage: tuple[float, float]
    """Share of ratings inside the model's interval, and of rating differences inside that of differences."""
    transparent_audio: bool
    """Whether the ratings have no audio and were judged at transparent audio."""


def evaluate(model: Model, data: TrainingSet) -> Verdict:
    """Predict every true pair of a training set.

    Raises:
        CheckpointError: the model reads a column that the data do not have, or audio features of another family.
    """
    transparent = not data.audio_columns
    # Of ratings, which say no version, the 512 numbers are ViSQOL's, and `audio_mos` is anybody's.
    if not transparent and ("audio" in data.versions or reads_features(model.card)):
        refuse_other_family(model.name, model.card, data.versions.get("audio", VISQOL.version))
    for kind, names, columns in (
        ("video", model.video_features, data.video_columns),
        ("audio", model.audio_features, model.audio_features if transparent else data.audio_columns),
    ):
        missing = [name for name in names if name not in columns]
        if missing:
            raise CheckpointError(
                f"model {model.name!r} reads {kind} feature {missing[0]!r}, which the data do not have; choose a model "
                f"that reads what is there ({', '.join(columns[:12])}{', ...' if len(columns) > 12 else ''})"
            )
    audio, video = data.pairs.T
    x_v = data.video(model.video_features)[video]
    if transparent:
        x_a = np.broadcast_to(transparent_audio(model), (len(x_v), len(model.audio_features)))
    else:
        x_a = data.audio(model.audio_features)[audio]
    predicted = np.asarray(model.predictor.predict(x_a, x_v), dtype=np.float64)
    ablated, change = np.stack(ablation(model.predictor, x_a, x_v)), model.predictor.change_norm(x_a, x_v)
    changed = None if change is None else np.stack(change)
    weight = importance(model.relevance_ranges, ablated, changed)
    every = np.arange(len(data.pairs))
    return Verdict(
        judgement=judge(predicted, data, every, ablated=ablated, changed=changed, weight=weight),
        vmaf=judge_fixed("vmaf", data),
        coverage=measure_held(data.mos - predicted, data.group, data.content, model.intervals),
        transparent_audio=transparent,
    )


def at_transparent_audio(data: TrainingSet) -> TrainingSet:
    """Ratings without audio as if their audio equalled its source, so that systems which read audio learn from them."""
    known = _transparent(VISQOL)
    row = np.array([list(known.values())], dtype=np.float32)
    return replace(
        data,
        x_a=np.repeat(row, len(data.x_a), axis=0),
        audio_columns=tuple(known),
        audio_names=(AUDIO_QUALITY,),
    )


def _transparent(family: AudioFamily) -> dict[str, float]:
    """Columns beside the features of audio that equals its source."""
    return {AUDIO_QUALITY: TRANSPARENT_MOS, "audio_mos": family.identity_mos, "bitrate_kbps": _TRANSPARENT_KBPS}


def transparent_audio(model: Model) -> npt.NDArray[np.float32]:
    """What a model reads of audio that equals its source, (d_a,).

    Raises:
        CheckpointError: it reads an audio feature whose transparent value is not known.
    """
    family = family_read(model.card)
    known, places = _transparent(family), {name: i for i, name in enumerate(AUDIO_FEATURES)}
    neutral = np.asarray(model.predictor.neutral[0], dtype=np.float32).copy()
    for i, name in enumerate(model.audio_features):
        if name in known:
            neutral[i] = known[name]
        elif name in places:
            value = family.identity_feature(places[name])
            neutral[i] = neutral[i] if value is None else value
        else:
            raise CheckpointError(
                f"model {model.name!r} reads audio feature {name!r}, which the ratings do not have and whose value for "
                "transparent audio is not known; add the column"
            )
    return neutral
