"""Checkpoints: a folder with `model.json` (the card) and `model.safetensors` (the weights). Never pickle.

Reading needs NumPy only, whatever the system. The card carries all that a prediction must know: the architecture
and its settings, names and versions of the features, ranges for relevance, intervals, and what the model was
trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from abr_alloc.errors import CheckpointError, OutputError
from abr_alloc.features.table import (
    AUDIO_FEATURES,
    FeatureTable,
    TableMetadata,
    columns_of,
    feature_columns,
    replace_file,
)
from abr_alloc.models.audio_quality import AUDIO_QUALITY, quality_of_rows
from abr_alloc.models.conformal import Intervals
from abr_alloc.models.predictor import Predictor, restore_predictor
from abr_alloc.models.relevance import RelevanceRanges
from abr_alloc.shipped import model_names

__all__ = ["DEFAULT_MODEL", "Model", "load_model", "save_model"]

FORMAT_VERSION = 3
_OLD_SCALE = 2  # AVQ was LIVE-SJTU's points of 100 on the IBM scale, which ends at 4.1
DEFAULT_MODEL = "attentive"

_CARD, _WEIGHTS = "model.json", "model.safetensors"
_REQUIRED = frozenset(
    {"name", "labels", "video_features", "audio_features", "video_feature_version", "audio_feature_version"}
    | {
        "system",
        "architecture",
        "settings",
        "interval_mos",
        "difference_mos",
        "relevance_ranges",
        "weights_sha256",
        "format_version",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A trained model, ready to predict."""

    name: str
    """Name of the folder."""
    card: Mapping[str, Any]
    """What `model.json` says."""
    predictor: Predictor
    """Who predicts."""
    relevance_ranges: RelevanceRanges
    """Ranges for relevance, from the training set."""
    intervals: Intervals
    """90 % intervals of a prediction and of a difference of two."""

    @property
    def interval_mos(self) -> tuple[float, float]:
        """What to add to a prediction for its 90 % interval, MOS."""
        return self.intervals.interval_mos

    @property
    def video_features(self) -> list[str]:
        return list(self.card["video_features"])

    @property
    def audio_features(self) -> list[str]:
        return list(self.card["audio_features"])

    def check_table(self, table: FeatureTable) -> None:
        """Refuse a table whose features are not those that the model was trained on.

        Raises:
            CheckpointError: names the first column or version that differs.
        """
        self.check_versions(table.metadata)

    def check_versions(self, metadata: TableMetadata) -> None:
        """Refuse tables of an origin whose features are not those that the model was trained on.

        Raises:
            CheckpointError: names the first column or version that differs.
        """
        for kind, names in (("video", self.video_features), ("audio", self.audio_features)):
            known = columns_of(kind) | ({*AUDIO_FEATURES, AUDIO_QUALITY} if kind == "audio" else set())
            for column in names:
                if column not in known:
                    raise CheckpointError(
                        f"model {self.name!r} was trained on {kind} feature {column!r}, which the table's {kind} rows "
                        "do not have; choose another --model"
                    )
        for kind in ("video", "audio"):
            trained = self.card.get(f"{kind}_feature_version")
            found = getattr(metadata, f"{kind}_feature_version")
            if trained is not None and trained != found:
                raise CheckpointError(
                    f"model {self.name!r} was trained on {kind} features {trained!r} but the table holds {found!r}; "
                    "extract the table again, or choose another --model"
                )

    @property
    def trained_on(self) -> frozenset[str]:
        """Names of the contents, and of their titles, that a model which learns was trained on."""
        training = self.card.get("training", {})
        if self.card["labels"].startswith("no labels"):
            return frozenset()
        return frozenset([*training.get("contents", ()), *training.get("titles", ())])

    def video_inputs(self, rows: pd.DataFrame) -> npt.NDArray[np.float32]:
        """X_v of video rows, (V, d_v)."""
        return feature_columns(rows, self.video_features)

    def audio_inputs(self, rows: pd.DataFrame) -> npt.NDArray[np.float32]:
        """X_a of audio rows, (A, d_a)."""
        if AUDIO_QUALITY in self.audio_features and AUDIO_QUALITY not in rows.columns:
            rows = rows.assign(**{AUDIO_QUALITY: quality_of_rows(rows)})
        return feature_columns(rows, self.audio_features)


def load_model(name_or_path: str = DEFAULT_MODEL) -> Model:
    """Load a model that ships, by name, or a checkpoint folder.

    Raises:
        CheckpointError: it is not there, damaged, or no checkpoint of this program.
    """
    if name_or_path in model_names():
        folder = Path(str(resources.files("abr_alloc.models").joinpath("weights", name_or_path)))
    else:
        folder = Path(name_or_path)
        if not folder.is_dir():
            raise CheckpointError(
                f"no model {name_or_path!r}: neither one that ships ({', '.join(model_names())}) nor a checkpoint "
                "folder; train one with `abr-alloc train`"
            )
    card = _read_card(folder)
    try:
        tensors = _read_weights(folder / _WEIGHTS, card["weights_sha256"])
        predictor = restore_predictor(card["architecture"], tensors, card["settings"])
        for kind, neutral in zip(("audio", "video"), predictor.neutral, strict=True):
            if len(card[f"{kind}_features"]) != len(neutral):
                raise ValueError(f"{kind}_features: {len(card[f'{kind}_features'])} names for {len(neutral)} inputs")
        ranges, (low, high) = card["relevance_ranges"], card["interval_mos"]
        change = ranges["change_norm"]
        return Model(
            name=str(card["name"]),
            card=card,
            predictor=predictor,
            relevance_ranges=RelevanceRanges(
                ablation=(float(ranges["ablation"][0]), float(ranges["ablation"][1])),
                change_norm=None if change is None else (float(change[0]), float(change[1])),
            ),
            intervals=Intervals(interval_mos=(float(low), float(high)), difference_mos=float(card["difference_mos"])),
        )
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {folder} lacks or garbles {error}; train it again with `abr-alloc train`"
        ) from error


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / _CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{folder} is no checkpoint: {_CARD} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}); train it again with `abr-alloc train`") from error
    if not isinstance(card, dict) or "architecture" not in card or "weights_sha256" not in card:
        raise CheckpointError(f"{path} does not describe a model of this program; train one with `abr-alloc train`")
    if card.get("format_version") == _OLD_SCALE:
        raise CheckpointError(
            f"{path} predicts AVQ on the scale of earlier versions, which ended at 4.1 (docs/method.md); train it "
            "again with `abr-alloc train`"
        )
    if card.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {card.get('format_version')}, this program reads {FORMAT_VERSION}; "
            "train it again with `abr-alloc train`"
        )
    missing = sorted(_REQUIRED - card.keys())
    if missing:
        raise CheckpointError(f"{path} has no field {missing[0]!r}; train it again with `abr-alloc train`")
    return card


def _read_weights(path: Path, sha256: str) -> dict[str, npt.NDArray[np.floating]]:
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise CheckpointError(f"{path} is damaged or not the one its card describes (SHA-256 differs); restore it")
        with safe_open(path, framework="numpy") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a dict
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file: {error}") from error


def save_model(folder: Path, predictor: Predictor, card: Mapping[str, Any]) -> None:
    """Write a checkpoint; the card goes last, so that a folder with a card is whole.

    Args:
        folder: where to; made when missing.
        predictor: the trained system.
        card: what to say about the model; name, format, architecture, settings and hash are added.

    Raises:
        OutputError: the place cannot be written to.
    """
    from safetensors.numpy import save

    tensors, settings = predictor.state()
    content = save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})
    full_card = {
        "format_version": FORMAT_VERSION,
        "architecture": predictor.architecture,
        "settings": settings,
        "name": folder.name,
        **card,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place with -o") from error
    replace_file(folder / _WEIGHTS, content)
    replace_file(folder / _CARD, (json.dumps(full_card, indent=2, allow_nan=False) + "\n").encode())
