"""`abr-alloc verify`: what was delivered beside what was predicted."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr_alloc.cli import options
from abr_alloc.cli.completion import complete_model
from abr_alloc.cli.printing import echo
from abr_alloc.documents import json_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abr_alloc.delivery.delivered_features import Scores
    from abr_alloc.delivery.deviation import LadderDeviation, Tolerance
    from abr_alloc.formats.delivery_record import Delivery
    from abr_alloc.measure.cache import Cache
    from abr_alloc.media.ffmpeg import FFmpeg
    from abr_alloc.media.probe import MediaInfo
    from abr_alloc.models.checkpoint import Model

__all__ = ["command"]


@click.command("verify", short_help="Measure a delivered ladder beside what was predicted.")
@click.argument("folder", metavar="DIR", type=options.PATH)
@click.option(
    "--source", "source_path", type=options.PATH, metavar="SOURCE",
    help="What was encoded; looked for where it was then when absent.",
)  # fmt: skip
@click.option(
    "--model",
    "model_name",
    metavar="NAME|PATH",
    shell_complete=complete_model,
    help="Who predicts AVQ; the ladder's own model when absent.",
)
@options.tolerance_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/formats.md).")
@options.jobs_option
@options.cache_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    folder: Path,
    source_path: Path | None,
    model_name: str | None,
    tolerance: Tolerance,
    as_json: bool,
    jobs: int,
    cache_dir: Path | None,
    ffmpeg_path: str | None,
    stall_s: float,
) -> int:
    """Measure every rung of DIR, which `abr-alloc encode` wrote, as it is delivered: rates and peaks of its segments,
    and AVQ against the source, through the features and the model that the ladder was designed with.

    Exit code 1 when a rung is beyond the tolerance.
    """
    if os.path.isfile(folder):  # noqa: PTH113 - a name may be too long to ask for
        raise click.UsageError(f"{folder} is a file; give the folder that `abr-alloc encode -o` wrote")

    from abr_alloc.cli.delivery_table import verified_text
    from abr_alloc.delivery.delivered_features import Scores
    from abr_alloc.delivery.deviation import compare_rungs
    from abr_alloc.delivery.publish import read_variants
    from abr_alloc.formats.delivery_record import RECORD_NAME, read_delivery
    from abr_alloc.measure.cache import Cache, default_cache_dir
    from abr_alloc.media.ffmpeg import find_ffmpeg

    delivery = read_delivery(folder / RECORD_NAME)
    variants = read_variants(delivery, folder)
    source = find_source(folder, delivery, source_path, ffmpeg_path)
    scores = Scores()
    if source is not None:
        model = find_model(delivery, model_name)
        folders = {name: folder.absolute() / name for name in delivery.stream_names}
        cache = Cache(cache_dir or default_cache_dir())
        ffmpeg = replace(find_ffmpeg(ffmpeg_path), stall_s=stall_s)
        scores = measure(delivery, folders, source, ffmpeg, cache, model, jobs=jobs)
    found = compare_rungs(delivery, variants, scores.avq_mos, scores.vmaf)
    if as_json:
        echo(json_text(_document(folder, delivery, found, tolerance)), nl=False)
    else:
        echo(verified_text(delivery, found, tolerance), nl=False)
    return 0 if found.keeps(tolerance) else 1


def find_source(
    folder: Path, delivery: Delivery, given: Path | None, ffmpeg_path: str | None = None
) -> MediaInfo | None:
    """The source of a delivery: as given, else where it was; None where it is not there any more.

    Raises:
        DeliveryError: the file that was given is another one.
    """
    from abr_alloc.errors import DeliveryError
    from abr_alloc.media.ffmpeg import look_at_ffmpeg
    from abr_alloc.media.probe import NO_LIMIT, content_hash, probe

    path = given if given is not None else folder / delivery.source
    if given is None:
        # Only the very file will do, whatever lies there now. A damaged path is none either: `Path.is_file` may raise.
        there = os.path.isfile(path)  # noqa: PTH113
        if not there or content_hash(path) != delivery.source_hash:
            return None
    # It was encoded: that decided how large it may be.
    info = probe(path, look_at_ffmpeg(ffmpeg_path), audio_track=delivery.audio_track, max_pixels=NO_LIMIT)
    if given is not None and content_hash(path) != delivery.source_hash:
        raise DeliveryError(f"{path} is not what {folder} was encoded from; give that file with --source")
    return info


def find_model(delivery: Delivery, name: str | None) -> Model:
    """The model that predicted a ladder's AVQ, or another that is asked for.

    Raises:
        CheckpointError: there is no such model.
    """
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.errors import CheckpointError
    from abr_alloc.models.checkpoint import load_model

    try:
        model = load_model(name or delivery.model or "attentive")
    except CheckpointError as error:
        if name is not None:
            raise
        raise CheckpointError(
            f"the ladder's model {delivery.model!r} does not ship; give its checkpoint folder with --model"
        ) from error
    if delivery.weights_sha256 and model.card["weights_sha256"] != delivery.weights_sha256:
        inform(
            f"note: the ladder's AVQ is by other weights ({delivery.model}) than what is measured here ({model.name})"
        )
    return model


def measure(
    delivery: Delivery,
    folders: Mapping[str, Path],
    info: MediaInfo,
    ffmpeg: FFmpeg,
    cache: Cache,
    model: Model,
    *,
    jobs: int,
) -> Scores:
    """What every pair comes to, with progress on stderr."""
    from abr_alloc.cli.progress import progress
    from abr_alloc.delivery.delivered_features import Scores, measure_pairs
    from abr_alloc.measure.extract import Progress

    scores = Scores()
    steps = measure_pairs(delivery, folders, info, ffmpeg, cache, model, jobs=jobs)
    with contextlib.closing(steps), progress(f"{info.path.name}: measuring") as update:
        for step in steps:
            if isinstance(step, Progress):
                update(step.done, step.total, step.label)
            else:
                scores = step
    return scores


def _document(folder: Path, delivery: Delivery, found: LadderDeviation, tolerance: Tolerance) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "command": "verify",
        "path": str(folder),
        "title": delivery.title,
        "tolerance": {"rate": tolerance.rate, "avq_mos": tolerance.avq},
        "avq_measured": found.largest_avq_deviation_mos is not None,
        "ok": found.keeps(tolerance),
        "largest_rate_deviation": found.largest_rate_deviation,
        "largest_avq_deviation_mos": found.largest_avq_deviation_mos,
        "rungs": [
            {
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
                "ok": rung.misses(tolerance) <= 1.0,
            }
            for rung in found.rungs
        ],
    }
