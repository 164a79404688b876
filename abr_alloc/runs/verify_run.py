"""Measure a delivered ladder beside what was predicted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

from abr_alloc import defaults
from abr_alloc.delivery.delivered_features import Scores, measure_pairs
from abr_alloc.delivery.deviation import LadderDeviation, RungDeviation, Tolerance, compare_rungs
from abr_alloc.delivery.peaks import stream_peak
from abr_alloc.delivery.publish import read_surround, read_variants
from abr_alloc.documents import json_text
from abr_alloc.errors import CheckpointError, DeliveryError
from abr_alloc.exporting.presentation import Variant
from abr_alloc.formats.delivery_record import RECORD_NAME, Delivery, read_delivery
from abr_alloc.measure.cache import Cache, open_cache
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg, look_at_ffmpeg
from abr_alloc.media.probe import NO_LIMIT, MediaInfo, content_hash, probe
from abr_alloc.models.checkpoint import Model, load_model
from abr_alloc.models.screens import screen_object
from abr_alloc.runs.feedback import Feedback, follow
from abr_alloc.runs.notebook import TableView

__all__ = ["VerifyResult", "compare_delivery", "find_model", "find_source", "measure_delivery", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VerifyResult(TableView):
    """A delivered ladder, predicted beside measured."""

    folder: Path
    """Where it lies."""
    delivery: Delivery
    """What was asked for and predicted."""
    comparison: LadderDeviation
    """Rung by rung."""
    tolerance: Tolerance
    """How far a rung may be off."""

    @property
    def ok(self) -> bool:
        """Whether every rung is within the tolerance."""
        return self.comparison.keeps(self.tolerance)

    def to_frame(self) -> pd.DataFrame:
        """One row per rung."""
        return pd.DataFrame([self._rung(rung) for rung in self.comparison.rungs])

    def to_json(self) -> str:
        """The JSON object of `abr-alloc verify --json` (docs/formats.md)."""
        return json_text(
            {
                "schema_version": 1,
                "command": "verify",
                "path": str(self.folder),
                "title": self.delivery.title,
                "tolerance": {"rate": self.tolerance.rate, "avq_mos": self.tolerance.avq},
                "avq_measured": self.comparison.largest_avq_deviation_mos is not None,
                **screen_object(self.delivery.phones),
                "ok": self.ok,
                "largest_rate_deviation": self.comparison.largest_rate_deviation,
                "largest_avq_deviation_mos": self.comparison.largest_avq_deviation_mos,
                **({"promised_peak_kbps": self.delivery.peak_kbps} if self.delivery.peak_kbps is not None else {}),
                "rungs": [self._rung(rung) for rung in self.comparison.rungs],
            }
        )

    def _rung(self, rung: RungDeviation) -> dict[str, Any]:
        return {
            "rung": rung.number,
            "video": rung.video,
            "audio": rung.audio,
            "predicted_kbps": rung.predicted_kbps,
            "measured_kbps": rung.measured_kbps,
            "video_kbps": rung.video_kbps,
            "audio_kbps": rung.audio_kbps,
            "peak_kbps": rung.peak_kbps,
            "rate_deviation": rung.rate_deviation,
            "predicted_avq_mos": rung.predicted_mos,
            "measured_avq_mos": rung.measured_mos,
            "avq_deviation_mos": rung.avq_deviation_mos,
            "predicted_vmaf": rung.predicted_vmaf,
            "measured_vmaf": rung.measured_vmaf,
            "ok": rung.misses(self.tolerance) <= 1.0,
            **self._scenes(rung),
            **_surround(rung),
        }

    def _scenes(self, rung: RungDeviation) -> dict[str, Any]:
        """What is known of a rung whose scenes are encoded each with its own parameters."""
        if not rung.predicted_scenes_mos:
            return {}
        return {
            "window_peak_kbps": rung.window_peak_kbps,
            "predicted_scenes_mos": list(rung.predicted_scenes_mos),
            "measured_scenes_mos": list(rung.measured_scenes_mos) or None,
        }

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        shown = {
            **{"rung": "", "video": "", "audio": "", "predicted_kbps": ".0f", "measured_kbps": ".0f"},
            **{"peak_kbps": ".0f", "rate_deviation": "+.1%", "predicted_avq_mos": ".2f", "measured_avq_mos": ".2f"},
            **{"measured_vmaf": ".0f", "ok": ""},
        }
        state = "within" if self.ok else "beyond"
        tolerance = f"rate {100 * self.tolerance.rate:g} %, AVQ {self.tolerance.avq:g}"
        return self.to_frame(), f"{self.delivery.title}: {state} the tolerance ({tolerance})", shown


def _surround(rung: RungDeviation) -> dict[str, Any]:
    """What is known of the surround of a rung that has some."""
    if rung.surround is None:
        return {}
    found = rung.surround
    return {
        "surround_audio": found.audio,
        "surround_predicted_kbps": found.predicted_kbps,
        "surround_measured_kbps": found.measured_kbps,
        "surround_peak_kbps": found.peak_kbps,
        "surround_predicted_avq_mos": found.predicted_mos,
        "surround_measured_avq_mos": found.measured_mos,
    }


def verify(
    folder: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    model: str | None = None,
    tolerance: Tolerance | None = None,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> VerifyResult:
    """Measure every rung as it is delivered: rates and peaks of its segments, and AVQ against the source, through the
    features and the model that the ladder was designed with.

    Call it below `if __name__ == "__main__":`, as it starts processes.

    Args:
        folder: what `encode` wrote.
        source: what was encoded; looked for where it was then when None. Without it AVQ is not measured.
        model: name or folder of a model; the ladder's own when None.
        tolerance: how far a rung may be off.
        jobs: processes; one per core when None.
        cache: where measurements are kept; the user's cache folder when None.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        DeliveryError: the folder is no whole delivery, or `source` is another file.
        CheckpointError: there is no such model.
        MediaError: a segment or the source cannot be read.
    """
    folder, feedback = Path(folder), feedback or Feedback()
    delivery = read_delivery(folder / RECORD_NAME)
    variants = read_variants(delivery, folder)
    info = find_source(folder, delivery, None if source is None else Path(source), ffmpeg)
    scores = Scores()
    if info is not None:
        scores = measure_delivery(
            delivery,
            {name: folder.absolute() / name for name in delivery.stream_names},
            info,
            replace(find_ffmpeg(ffmpeg), stall_s=stall_s),
            open_cache(cache),
            find_model(delivery, model, feedback),
            jobs=jobs or os.cpu_count() or 1,
            feedback=feedback,
        )
    places = {name: folder / name for name in delivery.stream_names}
    comparison = compare_delivery(delivery, variants, places, scores)
    return VerifyResult(folder=folder, delivery=delivery, comparison=comparison, tolerance=tolerance or Tolerance())


def compare_delivery(
    delivery: Delivery, variants: Sequence[Variant], folders: Mapping[str, Path], scores: Scores
) -> LadderDeviation:
    """What was predicted beside what was measured, with the peaks of videos whose scenes are encoded each by itself.

    Args:
        delivery: what was ordered.
        variants: its rungs, as their segments are.
        folders: where each stream lies, by its name.
        scores: what they come to; empty where there was no source.

    Raises:
        UnsupportedMediaError: a segment is missing or cannot be read.
    """
    fps = Fraction(delivery.fps)
    return compare_rungs(
        delivery,
        variants,
        scores.avq_mos,
        scores.vmaf,
        scores.scenes_mos,
        {order.name: stream_peak(folders[order.name], fps).kbps for order in delivery.videos if order.shots},
        read_surround(delivery, folders),
    )


def find_source(folder: Path, delivery: Delivery, given: Path | None, ffmpeg: str | None = None) -> MediaInfo | None:
    """The source of a delivery: as given, else where it was; None where it is not there any more.

    Raises:
        DeliveryError: the file that was given is another one.
    """
    path = given if given is not None else folder / delivery.source
    if given is None:
        # Only the very file will do, whatever lies there now. A damaged path is none either: `Path.is_file` may raise.
        there = os.path.isfile(path)  # noqa: PTH113
        if not there or content_hash(path) != delivery.source_hash:
            return None
    # It was encoded: that decided how large it may be.
    info = probe(path, look_at_ffmpeg(ffmpeg), audio_track=delivery.audio_track, max_pixels=NO_LIMIT)
    if given is not None and content_hash(path) != delivery.source_hash:
        raise DeliveryError(f"{path} is not what {folder} was encoded from; give that file with `source`")
    return info


def find_model(delivery: Delivery, name: str | None, feedback: Feedback) -> Model:
    """The model that predicted a ladder's AVQ, or another that is asked for.

    Raises:
        CheckpointError: there is no such model.
    """
    try:
        model = load_model(name or delivery.model or defaults.MODEL).on_phones(delivery.phones)
    except CheckpointError as error:
        if name is not None:
            raise
        raise CheckpointError(
            f"the ladder's model {delivery.model!r} does not ship; give its checkpoint folder with `model`"
        ) from error
    if delivery.weights_sha256 and model.card["weights_sha256"] != delivery.weights_sha256:
        feedback.note(
            f"note: the ladder's AVQ is by other weights ({delivery.model}) than what is measured here ({model.name})"
        )
    return model


def measure_delivery(
    delivery: Delivery,
    folders: Mapping[str, Path],
    info: MediaInfo,
    ffmpeg: FFmpeg,
    cache: Cache,
    model: Model,
    *,
    jobs: int,
    feedback: Feedback,
) -> Scores:
    """What every pair comes to.

    Raises:
        MediaError: a segment or the source cannot be read.
    """
    scores = Scores()
    steps = measure_pairs(delivery, folders, info, ffmpeg, cache, model, jobs=jobs)
    for step in follow(steps, f"{info.path.name}: measuring", feedback):
        scores = step
    return scores
