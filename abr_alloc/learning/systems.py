"""Systems that learn audio-visual quality: what they read, and how they are fitted.

A system is anything with a name, a label and `fit`; what `fit` returns predicts the pairs of a training set.
`registry.py` has those that ship, and finds one's own.

Q_a is the `audio_quality_mos` column (`audio_quality.py`). Q_v is VMAF on 1-5 where the data have it, and otherwise the
product form's MOS under transparent audio, fitted to the ratings of the training contents alone
(`baseline_fit.fit_video_quality`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.learning.baseline_fit import fit_product, fit_video_quality
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.svr_fit import fit_svr
from abr_alloc.models.audio_quality import AUDIO_QUALITY
from abr_alloc.models.baselines import P1203Integration, WeightedProduct
from abr_alloc.models.predictor import Predictor, WithVideoQuality

if TYPE_CHECKING:
    from abr_alloc.learning.training import TrainingConfig

__all__ = [
    "ContentBlind",
    "Fitted",
    "NetworkSystem",
    "ProductSystem",
    "StandardSystem",
    "SvrSystem",
    "System",
    "TrainedSystem",
    "default_config",
]

Floats = npt.NDArray[np.floating]
_MAX_SVR_PAIRS = 2000  # an SVR's fit grows with the square of its pairs


class Fitted(Protocol):
    """What a system becomes by fitting."""

    def predict(self, data: TrainingSet, pairs: npt.NDArray[np.intp], /) -> Floats:
        """AVQ of some true pairs of a training set, by index: (n,) -> (n,) MOS 1-5."""


class System(Protocol):
    """Something that learns AVQ from a training set. `seeded = False` says that its fit does not depend on the seed."""

    @property
    def name(self) -> str:
        """What commands call it."""

    @property
    def label(self) -> str:
        """What tables call it."""

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int, /) -> Fitted:
        """Learn from some contents only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedSystem:
    """A predictor, and the columns that it reads."""

    predictor: Predictor
    """Who predicts."""
    audio_features: tuple[str, ...]
    """Its audio columns."""
    video_features: tuple[str, ...]
    """Its video columns."""

    def inputs(self, data: TrainingSet, pairs: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Audio and video columns of some true pairs, (n, d_a), (n, d_v)."""
        audio, video = data.pairs[pairs].T
        return data.audio(self.audio_features)[audio], data.video(self.video_features)[video]

    def predict(self, data: TrainingSet, pairs: npt.NDArray[np.intp]) -> Floats:
        """AVQ of some true pairs, (n,) MOS."""
        return self.predictor.predict(*self.inputs(data, pairs))


def _training_pairs(
    data: TrainingSet, contents: Sequence[str], seed: int, most: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Audio rows, video rows and labels of at most so many training pairs."""
    rng = np.random.default_rng(seed)
    rows = data.pairs_of(contents)
    if len(rows) <= most:
        audio, video = data.pairs[rows].T
        return audio, video, data.mos[rows]
    if data.teacher is None:
        rows = rng.choice(rows, most, replace=False)
        audio, video = data.pairs[rows].T
        return audio, video, data.mos[rows]
    audio, video = (data.row_sampler(side, contents)(most, rng) for side in ("audio", "video"))
    return audio, video, data.label(audio, video)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSystem:
    """The weighted product, with weights given or fitted on the training contents."""

    name: str
    label: str
    weights: tuple[float, float] | None

    seeded = False

    @property
    def learns(self) -> bool:
        """Whether anything but Q_v is fitted."""
        return self.weights is None

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int) -> TrainedSystem:
        """Fit Q_v and, where they are not given, the weights."""
        quality, columns = fit_video_quality(data, contents)
        audio, video, mos = _training_pairs(data, contents, seed, _MAX_SVR_PAIRS)
        q_a, q_v = data.audio([AUDIO_QUALITY])[audio], quality(data.video(columns)[video])
        w_a, w_v = self.weights or fit_product(q_a[:, 0], q_v[:, 0], mos)
        inner = WeightedProduct(audio_weight=w_a, video_weight=w_v, neutral=(q_a.mean(axis=0), q_v.mean(axis=0)))
        return TrainedSystem(
            predictor=WithVideoQuality(inner, quality), audio_features=(AUDIO_QUALITY,), video_features=columns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSystem:
    """ITU-T P.1203.3's integration of Q_a and Q_v."""

    name: str = "p1203"
    label: str = "ITU-T P.1203.3 + Amd. 1"

    seeded = False
    learns = False

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int) -> TrainedSystem:
        """Fit Q_v; the integration is the standard's."""
        quality, columns = fit_video_quality(data, contents)
        audio, video, _ = _training_pairs(data, contents, seed, _MAX_SVR_PAIRS)
        q_a, q_v = data.audio([AUDIO_QUALITY])[audio], quality(data.video(columns)[video])
        inner = P1203Integration(neutral=(q_a.mean(axis=0), q_v.mean(axis=0)))
        return TrainedSystem(
            predictor=WithVideoQuality(inner, quality), audio_features=(AUDIO_QUALITY,), video_features=columns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SvrSystem:
    """A support vector regression on Q_a, optionally the audio rate, and Q_v or the video features."""

    name: str
    label: str
    with_rate: bool
    with_features: bool

    seeded = False

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int) -> TrainedSystem:
        """Fit Q_v where it is read, then the regression, its settings chosen on the training contents."""
        audio_names = (AUDIO_QUALITY, "bitrate_kbps") if self.with_rate else (AUDIO_QUALITY,)
        audio, video, mos = _training_pairs(data, contents, seed, _MAX_SVR_PAIRS)
        x_a, content = data.audio(audio_names)[audio], data.content_v[video]
        if self.with_features:
            x_v = data.video(data.video_names)[video]
            predictor: Predictor = fit_svr(x_a, x_v, mos, content)
            return TrainedSystem(predictor=predictor, audio_features=audio_names, video_features=data.video_names)
        quality, columns = fit_video_quality(data, contents)
        inner = fit_svr(x_a, quality(data.video(columns)[video]), mos, content)
        return TrainedSystem(
            predictor=WithVideoQuality(inner, quality), audio_features=audio_names, video_features=columns
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSystem:
    """One of the fusion networks."""

    name: str
    label: str
    kind: str
    config: TrainingConfig | None = None
    """How to train; what suits the data when absent."""
    of_qualities: bool = False
    """Read Q_a and the product form's Q_v instead of features: the product structure as a prior."""
    video_ratings: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    """A second table of video ratings for the product form."""

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int) -> TrainedSystem:
        """Fit Q_v where it is read, then train the network or networks."""
        from abr_alloc.learning.training import train_ensemble  # torch

        config = replace(self.config or default_config(data, self.kind, of_qualities=self.of_qualities), seed=seed)
        if not self.of_qualities:
            predictor: Predictor = train_ensemble(data, contents, config)
            return TrainedSystem(predictor=predictor, audio_features=data.audio_names, video_features=data.video_names)
        quality, columns = fit_video_quality(data, contents, self.video_ratings, use_vmaf=data.teacher is not None)
        rated = replace(
            data,
            x_v=np.hstack([data.x_v, quality(data.video(columns))]),
            video_columns=(*data.video_columns, "video_quality"),
            audio_names=(AUDIO_QUALITY,),
            video_names=("video_quality",),
        )
        predictor = WithVideoQuality(train_ensemble(rated, contents, config), quality)
        return TrainedSystem(predictor=predictor, audio_features=(AUDIO_QUALITY,), video_features=columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionMeans:
    """The mean training label of each condition: what knows no content."""

    means: Mapping[tuple[str, str], float]
    rest: float

    def predict(self, data: TrainingSet, pairs: npt.NDArray[np.intp]) -> Floats:
        """Mean label of each pair's condition; the mean of all where it was never seen."""
        audio, video = data.pairs[pairs].T
        keys = zip(data.condition_v[video], data.condition_a[audio], strict=True)
        return np.array([self.means.get(key, self.rest) for key in keys])


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentBlind:
    """A table of condition means: how far correlation goes without looking at the content."""

    name: str = "content-blind"
    label: str = "content-blind mean of the condition"

    seeded = False

    def fit(self, data: TrainingSet, contents: Sequence[str], seed: int) -> ConditionMeans:
        """Average the labels of each condition."""
        rows = data.pairs_of(contents)
        audio, video = data.pairs[rows].T
        keys = [data.condition_v[video], data.condition_a[audio]]
        means = pd.Series(data.mos[rows]).groupby(keys).mean()
        return ConditionMeans(means=means.to_dict(), rest=float(data.mos[rows].mean()))


def default_config(data: TrainingSet, kind: str, *, of_qualities: bool = False) -> TrainingConfig:
    """Settings that suit the data: teacher labels are many and without noise, ratings are few and noisy."""
    from abr_alloc.learning.fusionnet import FusionNetConfig
    from abr_alloc.learning.training import TrainingConfig

    if data.teacher is not None:
        # The smallest head that is as good as the paper's on contents left out (docs/evaluation.md).
        return TrainingConfig(network=FusionNetConfig(kind=kind, d_ff=128, dropout=0.0))
    rated = TrainingConfig(
        network=FusionNetConfig(kind=kind, num_hidden_layers=1),
        learning_rate=5e-4,
        weight_decay=0.1,
        num_steps=400,
        audio_noise=0.0,
        video_noise=0.0,
        power_transform=True,
    )
    if of_qualities:
        network = replace(rated.network, d_model=128, d_ff=128)
        return replace(rated, network=network, num_steps=800, num_members=5)
    return rated
