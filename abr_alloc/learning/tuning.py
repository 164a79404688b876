"""The paper's search space (Table 2) as an Optuna study: grouped folds, pruning, a journal on disk that resumes.

Every trial trains the network on each of five folds of contents and is judged by the mean of the paper's loss on what
they hold out. The first trial is the defaults; one that is worse than the median of the others so far is given up.
Queries and keys cannot matter at N = 1, so the number of heads changes nothing but the random start; it is searched
because the paper searches it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from abr_alloc.errors import TuningError
from abr_alloc.learning.dataset import TrainingSet
from abr_alloc.learning.fusionnet import FusionNetConfig
from abr_alloc.learning.loss import LAMBDA, fusion_loss
from abr_alloc.learning.training import TrainingConfig, settings_of, train_network

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial

__all__ = ["Trial", "best_config", "open_study", "trials_of", "tune"]

_STUDY = "abr-alloc-tune"
_DIVERGED = 1000.0  # stands for the loss of a network that predicts no number

_SEARCHED = (
    *("num_hidden_layers", "activation", "dropout", "num_heads", "d_ff", "num_audio_cross_layers"),
    *("num_video_cross_layers", "learning_rate", "lam", "weight_decay"),
)

JOURNAL = "study.journal"
"""The study's file, in its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One trial of a study."""

    number: int
    """Its number."""
    state: str
    """`complete`, or `pruned`: given up."""
    loss: float
    """Mean held-out loss, of the folds that ran where it was given up."""
    folds: int
    """Folds that ran."""
    seconds: float
    """Time taken."""
    settings: dict[str, Any]
    """What was tried."""


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise TuningError("tune needs Optuna: pip install 'abr_alloc[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return optuna


def _suggest(trial: OptunaTrial, base: TrainingConfig) -> TrainingConfig:
    """A point of Table 2, widened to the smaller head and the missing dropout that ship."""
    network = replace(
        base.network,
        num_hidden_layers=trial.suggest_int("num_hidden_layers", 1, 5),
        activation=trial.suggest_categorical("activation", ["gelu", "relu"]),
        dropout=trial.suggest_float("dropout", 0.0, 0.6),
        num_heads=trial.suggest_categorical("num_heads", [2, 4, 8]),
        d_ff=trial.suggest_categorical("d_ff", [128, 256, 512, 1024]),
        num_audio_cross_layers=trial.suggest_int("num_audio_cross_layers", 1, 5),
        num_video_cross_layers=trial.suggest_int("num_video_cross_layers", 1, 5),
    )
    return replace(
        base,
        network=network,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        lam=trial.suggest_categorical("lam", [0.0, LAMBDA, 1.0]),
        weight_decay=trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
    )


def _searched(config: TrainingConfig) -> dict[str, Any]:
    """The settings of Table 2 that a configuration has."""
    every = {**asdict(config.network), **asdict(config)}
    return {name: every[name] for name in _SEARCHED}


def open_study(folder: Path, base: TrainingConfig) -> Study:
    """The study of a folder, new or as it was left.

    Raises:
        TuningError: Optuna is not installed, or the folder holds a damaged study.
    """
    optuna = _optuna()
    path = folder / JOURNAL
    try:
        storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
        study: Study = optuna.create_study(
            study_name=_STUDY,
            storage=storage,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        )
        for trial in trials_of(study):
            if not np.isfinite(trial.loss):
                raise ValueError(f"trial {trial.number} has a loss of {trial.loss}")
            _config_of(trial, base)
        if not study.trials:
            study.enqueue_trial(_searched(base))  # the defaults come first: what the search has to beat
    except Exception as error:  # Optuna trusts its journal: of a damaged one it may raise anything
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TuningError(f"{path} cannot be used ({reason}); remove it, or choose another `folder`") from error
    # A study that goes on must not repeat the draws it began with.
    study.sampler = optuna.samplers.TPESampler(seed=base.seed + len(study.trials))
    return study


def tune(
    study: Study,
    data: TrainingSet,
    folds: Sequence[Sequence[str]],
    base: TrainingConfig,
    num_trials: int,
    *,
    on_trial: Callable[[Trial], None] | None = None,
) -> None:
    """Run trials until the study holds so many.

    Args:
        study: from `open_study`.
        data: what to train on.
        folds: held-out contents of each fold.
        base: settings that are not searched.
        num_trials: trials, complete or given up, that the study shall hold.
        on_trial: told each finished trial.

    Raises:
        TuningError: the study was begun on other data or settings.
    """
    optuna = _optuna()
    fingerprint = f"{len(data.pairs)} pairs, {sorted(map(sorted, folds))}, {replace(base, seed=0)}"
    known = study.user_attrs.get("fingerprint")
    if known is None:
        study.set_user_attr("fingerprint", fingerprint)
    elif known != fingerprint:
        raise TuningError(
            f"{JOURNAL} is of a study of other data, folds or `steps`; choose another `folder`, or remove it"
        )

    def objective(trial: OptunaTrial) -> float:
        config = _suggest(trial, base)
        losses: list[float] = []
        for k, held_out in enumerate(folds):
            loss = _held_out_loss(data, held_out, config)
            losses.append(loss if np.isfinite(loss) else _DIVERGED)
            trial.report(float(np.mean(losses)), k)
            if k + 1 < len(folds) and trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(losses))

    while len(trials_of(study)) < num_trials:
        study.optimize(objective, n_trials=1)
        if on_trial:
            on_trial(trials_of(study)[-1])


def _held_out_loss(data: TrainingSet, held_out: Sequence[str], config: TrainingConfig) -> float:
    """The paper's loss, always with its own lambda, on what a network did not see."""
    kept = [name for name in data.contents if name not in held_out]
    network = train_network(data, kept, config)
    rows = data.pairs_of(held_out)
    audio, video = data.pairs[rows].T
    with np.errstate(all="ignore"):  # a diverged network overflows, and its loss says so
        predicted = network.predict(data.audio(data.audio_names)[audio], data.video(data.video_names)[video])
    loss = fusion_loss(torch.from_numpy(predicted), torch.from_numpy(data.mos[rows]).float(), LAMBDA)
    return float(loss)


def trials_of(study: Study) -> list[Trial]:
    """Finished trials of a study, in their order; one that an interrupt cut short does not count."""
    found = []
    for trial in study.trials:
        state = trial.state.name.lower()
        if state not in ("complete", "pruned") or not trial.intermediate_values:
            continue
        found.append(
            Trial(
                number=trial.number,
                state=state,
                loss=float(trial.intermediate_values[max(trial.intermediate_values)]),
                folds=len(trial.intermediate_values),
                seconds=trial.duration.total_seconds() if trial.duration else float("nan"),
                settings=dict(trial.params),
            )
        )
    return found


def best_config(study: Study, base: TrainingConfig) -> tuple[Trial, TrainingConfig]:
    """The complete trial with the least loss, and its settings.

    Raises:
        TuningError: no trial is complete.
    """
    complete = [trial for trial in trials_of(study) if trial.state == "complete"]
    if not complete:
        raise TuningError("no trial is complete yet; run more `trials`")
    best = min(complete, key=lambda trial: trial.loss)
    return best, _config_of(best, base)


def _config_of(trial: Trial, base: TrainingConfig) -> TrainingConfig:
    """The settings of a trial.

    Raises:
        ValueError: it has one that there is not, or that cannot be what it is.
    """
    shape = {name: value for name, value in trial.settings.items() if name in asdict(base.network)}
    rest = {name: value for name, value in trial.settings.items() if name not in shape}
    network = settings_of(FusionNetConfig, {**asdict(base.network), **shape})
    settings_of(TrainingConfig, rest)
    return replace(base, network=network, **rest)
