"""Checkpoints: a folder with `model.json` (the card) and `model.safetensors` (the weights). Never pickle.

Reading needs NumPy only, whatever the system. The card carries all that a prediction must know: the architecture
and its settings, names and versions of the features, ranges for relevance, intervals, and what the model was
trained on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abr_alloc import defaults
from abr_alloc.arguments import require_number
from abr_alloc.documents import DamagedDocument, json_text, parse_json, shown
from abr_alloc.errors import CheckpointError, OutputError
from abr_alloc.location import read_bytes, require_no_pipe
from abr_alloc.models.audio_quality import AUDIO_QUALITY, quality_of_rows
from abr_alloc.models.audio_reading import family_read, is_bound, refuse_other_family
from abr_alloc.models.card import check_card, intervals_of, ranges_of
from abr_alloc.models.intervals import Intervals
from abr_alloc.models.predictor import Predictor, restore_predictor
from abr_alloc.models.relevance import RelevanceRanges
from abr_alloc.models.screens import OnPhones, intervals_on, screen_text
from abr_alloc.models.trial import check_predictions
from abr_alloc.shipped import model_names
from abr_alloc.table.columns import Columns
from abr_alloc.table.table import AUDIO_FEATURES, FeatureTable, TableMetadata, columns_of, feature_columns
from abr_alloc.writing import replace_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Model", "load_model", "model_sha256", "save_model"]

FORMAT_VERSION = 3
_OLD_SCALE = 2  # AVQ was LIVE-SJTU's points of 100 on the IBM scale, which ends at 4.1

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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
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
    sha256: str = ""
    """Digest of the card, which holds that of the weights: whoever has the same predicts the same."""
    phones: float = 0.0
    """Share of the audience that watches on phones, 0-1; the others watch on televisions or monitors."""

    def __repr__(self) -> str:
        return f"Model(name={self.name!r}, labels={self.card['labels']!r})"

    @property
    def interval_mos(self) -> tuple[float, float]:
        """What to add to a prediction for its 90 % interval, MOS."""
        return self.intervals.interval_mos

    @property
    def described(self) -> str:
        """Its name, and who watches on what where that is not a television."""
        return ", ".join(filter(None, [self.name, screen_text(self.phones)]))

    def on_phones(self, share: float = 1.0) -> Model:
        """The same model for an audience of whom a share, 0-1, watches on phones (`screens.py`, docs/screens.md).

        Raises:
            ArgumentError: the share is none.
        """
        require_number("phones", share, 0.0, 1.0)
        columns = self.audio_features, self.video_features
        tv = self.predictor.tv if isinstance(self.predictor, OnPhones) else self.predictor
        return dataclasses.replace(
            self,
            predictor=OnPhones(tv, share, *columns, family_read(self.card)) if share else tv,
            intervals=intervals_on(intervals_of(self.card), share) if share else intervals_of(self.card),
            phones=float(share),
        )

    @property
    def video_features(self) -> list[str]:
        return list(self.card["video_features"])

    @property
    def audio_features(self) -> list[str]:
        return list(self.card["audio_features"])

    def check_table(self, table: FeatureTable) -> None:
        """As `check_versions`, of a table."""
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
                        "do not have; choose another `model`"
                    )
        refuse_other_family(self.name, self.card, metadata.audio_feature_version)
        for kind in ("video", "audio"):
            trained = self.card.get(f"{kind}_feature_version")
            found = getattr(metadata, f"{kind}_feature_version")
            is_free = kind == "audio" and not is_bound(self.card)
            if trained is not None and trained != found and not is_free:
                raise CheckpointError(
                    f"model {self.name!r} was trained on {kind} features {trained!r} but the table holds {found!r}; "
                    "extract the table again, or choose another `model`"
                )

    @property
    def trained_on(self) -> frozenset[str]:
        """Names of the contents, and of their titles, that a model which learns was trained on."""
        training = self.card.get("training", {})
        if self.card["labels"].startswith("no labels"):
            return frozenset()
        return frozenset([*training.get("contents", ()), *training.get("titles", ())])

    def video_inputs(self, rows: Columns | pd.DataFrame) -> npt.NDArray[np.float32]:
        """X_v of video rows, (V, d_v)."""
        return feature_columns(rows, self.video_features)

    def audio_inputs(self, rows: Columns | pd.DataFrame) -> npt.NDArray[np.float32]:
        """X_a of audio rows, (A, d_a)."""
        if AUDIO_QUALITY in self.audio_features and AUDIO_QUALITY not in rows:
            rows = rows.assign(**{AUDIO_QUALITY: quality_of_rows(rows)})
        return feature_columns(rows, self.audio_features)


def load_model(name_or_path: str = defaults.MODEL) -> Model:
    """Load a model that ships, by name, or a checkpoint folder.

    Raises:
        CheckpointError: it is not there, damaged, or no checkpoint of this program.
    """
    folder = _folder_of(name_or_path)
    content = _card_bytes(folder)
    card = _read_card(folder, content)
    try:
        check_card(card)
        intervals, ranges = intervals_of(card), ranges_of(card)
    except (KeyError, ValueError) as error:
        raise _damaged(folder / _CARD, error) from error
    tensors = _read_weights(folder / _WEIGHTS, card["weights_sha256"])
    try:
        predictor = restore_predictor(card["architecture"], tensors, card["settings"])
        for kind, neutral in zip(("audio", "video"), predictor.neutral, strict=True):
            if len(card[f"{kind}_features"]) != len(neutral):
                raise ValueError(f"{kind}_features: {len(card[f'{kind}_features'])} names for {len(neutral)} inputs")
        check_predictions(predictor, card["audio_features"], card["video_features"])
    except (KeyError, ValueError) as error:
        raise _damaged(folder, error) from error
    return Model(
        name=card["name"],
        card=card,
        predictor=predictor,
        relevance_ranges=ranges,
        intervals=intervals,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def model_sha256(name_or_path: str) -> str:
    """`Model.sha256` of what `load_model` would load now.

    Raises:
        CheckpointError: there is no such model.
    """
    return hashlib.sha256(_card_bytes(_folder_of(name_or_path))).hexdigest()


def _folder_of(name_or_path: str) -> Path:
    if name_or_path in model_names():
        return Path(str(resources.files("abr_alloc.models").joinpath("weights", name_or_path)))
    if not os.path.isdir(name_or_path):  # noqa: PTH112 - a name may be too long to ask for
        raise CheckpointError(
            f"no model {shown(name_or_path)}: neither one that ships ({', '.join(model_names())}) nor a checkpoint "
            "folder; train one with `abr-alloc train`"
        )
    return Path(name_or_path)


def _damaged(path: Path, error: KeyError | ValueError) -> CheckpointError:
    what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return CheckpointError(
        f"checkpoint {path} cannot be used: {what}; restore it, or train it again with `abr-alloc train`"
    )


def _card_bytes(folder: Path) -> bytes:
    try:
        return read_bytes(folder / _CARD)
    except OSError as error:
        raise CheckpointError(f"{folder} is no checkpoint: {_CARD} cannot be read ({error.strerror})") from error


def _read_card(folder: Path, content: bytes) -> dict[str, Any]:
    path = folder / _CARD
    try:
        card = parse_json(content)
    except DamagedDocument as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); restore it, or train it again with `abr-alloc train`"
        ) from error
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
            f"{path} has format version {shown(card.get('format_version'))}, this program reads {FORMAT_VERSION}; "
            "train it again with `abr-alloc train`"
        )
    missing = sorted(_REQUIRED - card.keys())
    if missing:
        raise CheckpointError(f"{path} has no field {missing[0]!r}; train it again with `abr-alloc train`")
    return card


def _read_weights(path: Path, sha256: str) -> dict[str, npt.NDArray[np.generic]]:
    from safetensors import SafetensorError, safe_open

    try:
        require_no_pipe(path)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise CheckpointError(f"{path} is damaged or not the one its card describes (SHA-256 differs); restore it")
        with safe_open(path, framework="numpy") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 - not a dict
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (SafetensorError, TypeError, AttributeError, ValueError) as error:  # NumPy has no such type of number
        raise CheckpointError(
            f"{path} is not a safetensors file that can be read ({error}); restore it, or train it again"
        ) from error


def save_model(folder: Path, predictor: Predictor, card: Mapping[str, Any]) -> None:
    """Write a checkpoint; the card goes last, so that a folder with a card is whole.

    Args:
        folder: where to; made when missing.
        predictor: the trained system.
        card: what to say about the model; name, format, architecture, settings and hash are added.

    Raises:
        CheckpointError: its numbers are not finite.
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
        text = json_text(full_card)
    except ValueError as error:
        raise CheckpointError(
            f"the model for {folder} is none: training came to numbers that are not finite; look at the data, or "
            "choose another `system`"
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}; choose another place with `output`") from error
    replace_file(folder / _WEIGHTS, content)
    replace_file(folder / _CARD, text.encode())
