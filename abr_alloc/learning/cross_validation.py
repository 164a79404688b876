"""Systems compared on the same held-out contents.

Every system is trained and tested on the same folds, grouped by content, and everything that it fits it fits on a
fold's training contents. What a fold predicts is stored: an interrupted comparison goes on. Axes: P true pairs.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import logging
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc import __version__
from abr_alloc.documents import json_text
from abr_alloc.errors import AbrAllocError, FeatureTableError, OwnSystemError
from abr_alloc.learning.conformal import measure_coverage
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.relevance_fit import fit_ranges
from abr_alloc.learning.scoring import Estimate, Judgement, judge, score
from abr_alloc.learning.systems import Fitted, NetworkSystem, System, TrainedSystem, default_config
from abr_alloc.models.predictor import ablation
from abr_alloc.models.relevance import importance
from abr_alloc.writing import replace_file

__all__ = ["HeldOut", "Result", "check_trainable", "compare", "cross_validate", "file_name", "grouped_folds"]

NUM_FOLDS = 5
"""Folds, where it is not one content at a time."""

_NO_RATING = 1e6  # of any scale
_KEPT = ({"predicted"}, {"predicted", "ablated", "weight"}, {"predicted", "ablated", "weight", "changed"})
_DAMAGE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)

Floats = npt.NDArray[np.floating]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What models that did not see a content say of its pairs."""

    predicted: Floats
    """AVQ, (P,), MOS 1-5."""
    ablated: Floats | None
    """Eq. 6 of audio and video, (2, P); None for a system that cannot be ablated."""
    changed: Floats | None
    """Eq. 7, (2, P); None without embeddings."""
    weight: Floats | None
    """I of Eq. 8, (2, P), normalised over the fold's training pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One system's row."""

    name: str
    """The system's name."""
    label: str
    """Its name in the paper's table."""
    judgement: Judgement
    """Held-out predictions, the mean over the seeds, beside the ratings."""
    scores: dict[str, Estimate]
    """Figures of that mean, with intervals over contents."""
    by_seed: list[dict[str, float]]
    """Figures of every seed alone."""
    coverage: tuple[float, float]
    """Share of ratings, and of rating differences, inside conformal intervals fitted on the other contents."""


def grouped_folds(contents: Sequence[str], num_folds: int | None, seed: int = 0) -> list[list[str]]:
    """Deal contents into folds; one content each where `num_folds` is None.

    Raises:
        FeatureTableError: there are fewer than two contents, or fewer than folds.
    """
    if len(contents) < 2:
        raise FeatureTableError(
            f"training needs at least two contents to validate on unseen ones, not {len(contents)}; add sources"
        )
    if num_folds is None:
        return [[name] for name in sorted(contents)]
    if len(contents) < num_folds:
        raise FeatureTableError(
            f"{len(contents)} contents cannot be dealt into {num_folds} folds; ask for fewer folds, or add contents"
        )
    order = np.random.default_rng(seed).permutation(sorted(contents)).tolist()
    return [order[i::num_folds] for i in range(num_folds)]


def check_trainable(data: TrainingSet, *, needs_audio: bool = True) -> None:
    """Refuse data that nothing can be learned from.

    Args:
        data: labels and columns.
        needs_audio: whether data without audio are refused.

    Raises:
        FeatureTableError: there is no audio, the labels are all equal, or a feature that networks read never varies.
    """
    if needs_audio and not data.audio_columns:
        raise FeatureTableError("the ratings have no audio column; name them with `audio_columns`", column="audio")
    if float(np.ptp(data.mos)) < 1e-9:
        raise FeatureTableError("column mos is the same in every row: there is nothing to learn", column="mos")
    for kind, x, names in (
        ("audio", data.audio(data.audio_names), data.audio_names),
        ("video", data.video(data.video_names), data.video_names),
    ):
        constant = np.flatnonzero(np.ptp(x, axis=0) == 0.0)
        if data.teacher is None and len(constant):
            column = names[int(constant[0])]
            raise FeatureTableError(
                f"column {column} is the same in every row; leave it out with `{kind}_columns`", column=column
            )


def cross_validate(
    system: System,
    data: TrainingSet,
    folds: Sequence[Sequence[str]],
    seed: int = 0,
    *,
    store: Path | None = None,
    on_fold: Callable[[int], None] | None = None,
    on_fitted: Callable[[Fitted], None] | None = None,
) -> HeldOut:
    """Train a system once per fold and predict what it did not see.

    Args:
        system: what to train.
        data: labels and columns.
        folds: held-out contents of each fold.
        seed: seed of the fits.
        store: a folder for what folds predict; what lies there is not computed again.
        on_fold: told the number of folds done.
        on_fitted: given what each fold trained.
    """
    num, num_stored = len(data.pairs), 0
    parts: dict[str, Floats] = {"predicted": np.full(num, np.nan)}
    for k, held_out in enumerate(folds):
        path = None if store is None else store / f"{file_name(system.name)}-seed{seed}-fold{k}.npz"
        key = _key(system, data, held_out, seed) if path else ""
        stored = _read(path, key, len(rows := data.pairs_of(held_out)))
        num_stored += stored is not None
        found = stored or _run_fold(system, data, held_out, seed, on_fitted)
        if path is not None and not path.exists():
            _write(path, key, found)
        for name, values in found.items():
            parts.setdefault(name, np.full((2, num), np.nan))[..., rows] = values
        if on_fold:
            on_fold(k + 1)
    logger.info("%s, seed %d: %d folds, %d of them computed before", system.name, seed, len(folds), num_stored)
    return HeldOut(
        predicted=parts["predicted"],
        ablated=parts.get("ablated"),
        changed=parts.get("changed"),
        weight=parts.get("weight"),
    )


def _run_fold(
    system: System,
    data: TrainingSet,
    held_out: Sequence[str],
    seed: int,
    on_fitted: Callable[[Fitted], None] | None,
) -> dict[str, Floats]:
    kept = [name for name in data.contents if name not in held_out]
    rows = data.pairs_of(held_out)
    step = "fit"
    try:
        fitted = system.fit(data, kept, seed)
        step = "predict"
        predicted = np.asarray(fitted.predict(data, rows), dtype=np.float64)
    except AbrAllocError:
        raise
    except (Exception, SystemExit) as error:
        if not _is_own(system):
            raise
        raise OwnSystemError(
            f"system {system.name!r} ({inspect.getfile(type(system))}) fails in {step}: {error!r}; correct it",
            name=system.name,
        ) from error
    strange = ~(np.abs(predicted) < _NO_RATING)
    if predicted.shape != (len(rows),) or strange.any():
        raise OwnSystemError(
            f"system {system.name!r} predicts an array of shape {predicted.shape} with {int(strange.sum())} numbers "
            f"that are not finite or beyond any rating; predict must give {len(rows)} finite numbers, one per stimulus",
            name=system.name,
        )
    if on_fitted:
        on_fitted(fitted)
    found: dict[str, Floats] = {"predicted": predicted}
    if isinstance(fitted, TrainedSystem):
        x_a, x_v = fitted.inputs(data, rows)
        ablated, change = np.stack(ablation(fitted.predictor, x_a, x_v)), fitted.predictor.change_norm(x_a, x_v)
        ranges = fit_ranges(fitted.predictor, *fitted.inputs(data, _thin(data.pairs_of(kept))))
        found |= {"ablated": ablated} | ({} if change is None else {"changed": np.stack(change)})
        found["weight"] = importance(ranges, ablated, found.get("changed"))
    return found


def _thin(rows: npt.NDArray[np.intp], most: int = 5000) -> npt.NDArray[np.intp]:
    return rows[:: max(1, len(rows) // most)]


def compare(
    systems: Sequence[System],
    data: TrainingSet,
    folds: Sequence[Sequence[str]],
    *,
    num_seeds: int = 1,
    store: Path | None = None,
    on_fold: Callable[[str, int, int], None] | None = None,
) -> Iterator[Result]:
    """Train and test systems on the same folds, one after another.

    Args:
        systems: what to compare.
        data: labels and columns.
        folds: held-out contents of each fold.
        num_seeds: how often to train what depends on a seed; the figures are those of the mean prediction.
        store: a folder for what folds predict.
        on_fold: told the system's name, the folds done and their number.
    """
    every = np.arange(len(data.pairs))
    for system in systems:
        num_runs = num_seeds if getattr(system, "seeded", True) else 1
        told = None if on_fold is None else partial(_tell, on_fold, system.name, num_runs * len(folds))
        runs = [
            cross_validate(system, data, folds, seed, store=store, on_fold=told and partial(told, seed * len(folds)))
            for seed in range(num_runs)
        ]
        judged = [
            judge(r.predicted, data, every, ablated=r.ablated, changed=r.changed, weight=r.weight)
            for r in (*runs, _mean(runs))
        ]
        scores = score(judged[-1])
        residual = data.mos - _mean(runs).predicted
        yield Result(
            name=system.name,
            label=system.label,
            judgement=judged[-1],
            scores=scores,
            by_seed=[{name: e.value for name, e in score(j, resamples=0).items()} for j in judged[:-1]],
            coverage=measure_coverage(residual, data.group, data.content),
        )


def _tell(on_fold: Callable[[str, int, int], None], name: str, num: int, before: int, done: int) -> None:
    on_fold(name, before + done, num)


def _mean(runs: Sequence[HeldOut]) -> HeldOut:
    def of(name: str) -> Any:
        parts = [getattr(run, name) for run in runs]
        return None if parts[0] is None else np.mean(parts, axis=0)

    return HeldOut(predicted=of("predicted"), ablated=of("ablated"), changed=of("changed"), weight=of("weight"))


def _key(system: System, data: TrainingSet, held_out: Sequence[str], seed: int) -> str:
    """Hash of everything that a fold's predictions depend on."""
    parts: list[Any] = [__version__, repr(system), sorted(held_out), seed, data.audio_names, data.video_names]
    digest = hashlib.sha256()
    if isinstance(system, NetworkSystem):
        parts.append(repr(system.config or default_config(data, system.kind, of_qualities=system.of_qualities)))
        if system.video_ratings is not None:
            digest.update(system.video_ratings.to_csv().encode())
    elif _is_own(system):
        parts[1] = Path(inspect.getfile(type(system))).read_text(encoding="utf-8")  # a file of one's own
    digest.update(json_text(parts, indent=None).encode())
    for array in (data.x_a, data.x_v, data.pairs, data.mos):
        digest.update(np.ascontiguousarray(array).tobytes())
    for names in (data.content_a, data.content_v, data.condition_a, data.condition_v):
        digest.update("\n".join(names.tolist()).encode())
    return digest.hexdigest()


def _is_own(system: System) -> bool:
    """Whether a system comes from a user's file."""
    return not type(system).__module__.startswith("abr_alloc.")


def file_name(name: str) -> str:
    """A system's name as a part of a file's."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def _read(path: Path | None, key: str, num: int) -> dict[str, Floats] | None:
    """A stored fold of so many pairs; None where there is none, or it is of other data or settings, or damaged."""
    if path is None or not path.is_file():
        return None
    with contextlib.suppress(*_DAMAGE):
        with np.load(path, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files}
        same = str(found.pop("key")) == key and found.keys() in _KEPT
        if same and all(x.shape == ((num,) if name == "predicted" else (2, num)) for name, x in found.items()):
            return found
    path.unlink(missing_ok=True)
    return None


def _write(path: Path, key: str, found: dict[str, Floats]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, key=np.array(key), **found)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, buffer.getvalue(), log_level=logging.DEBUG)
