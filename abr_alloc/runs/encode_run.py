"""Encode a ladder, and encode again what missed its prediction."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pandas as pd

from abr_alloc import defaults
from abr_alloc.arguments import require_number
from abr_alloc.delivery.deviation import LadderDeviation, Tolerance, compare_rungs
from abr_alloc.delivery.encode import CachedScan, cached_scan, encode_streams, encode_videos
from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.hold import HeldRates, hold_rates
from abr_alloc.delivery.order import ChosenLadder, check_source, choose_ladder, make_order
from abr_alloc.delivery.ordered_encoders import refuse_strange_commands, told_encoders
from abr_alloc.delivery.publish import damaged_streams, publish, read_variants
from abr_alloc.delivery.refine import better_orders, corrected_orders
from abr_alloc.errors import ArgumentError
from abr_alloc.exporting.presentation import Variant
from abr_alloc.formats.delivery_record import Delivery, VideoOrder, delivery_text
from abr_alloc.measure.cache import Cache, open_cache
from abr_alloc.media.ffmpeg import FFmpeg, find_ffmpeg, look_at_ffmpeg
from abr_alloc.media.probe import MediaInfo, content_hash, mark_of, probe
from abr_alloc.media.scenes import split_scenes
from abr_alloc.runs.feedback import Feedback, follow
from abr_alloc.runs.ladder_run import Ladders, ladder_path
from abr_alloc.runs.languages import standard_language
from abr_alloc.runs.notebook import TableView
from abr_alloc.runs.verify_run import find_model, measure_delivery

__all__ = ["EncodeResult", "Refined", "encode", "refine_delivery"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class EncodeResult(TableView):
    """A ladder as it was encoded and packaged."""

    folder: Path
    """Where it lies."""
    delivery: Delivery
    """What was asked for and predicted."""
    variants: tuple[Variant, ...]
    """Its pairs, by rising rate, as their segments are."""
    info: MediaInfo
    """The source."""
    ffmpeg: FFmpeg
    """The program that encoded."""
    cache: Cache
    """Where measurements are kept."""
    jobs: int
    """Processes."""
    refined: Refined | None = None
    """What encoding again came to, where it was asked for."""

    def to_frame(self) -> pd.DataFrame:
        """One row per rung; rates are of the segments, container included, kbps."""
        return pd.DataFrame(
            [
                {
                    "rung": number,
                    "video": rung.video,
                    "audio": rung.audio,
                    "avq_mos": rung.avq_mos,
                    "predicted_kbps": rung.total_kbps,
                    "mean_kbps": variant.average_bits_per_s / 1000.0,
                    "peak_kbps": variant.peak_bits_per_s / 1000.0,
                }
                for number, (rung, variant) in enumerate(zip(self.delivery.rungs, self.variants, strict=True), start=1)
            ]
        )

    def to_json(self) -> str:
        """The record of the folder, `delivery.json` (docs/formats.md)."""
        return delivery_text(self.delivery)

    def _view(self) -> tuple[pd.DataFrame, str, dict[str, str]]:
        rates = dict.fromkeys(("predicted_kbps", "mean_kbps", "peak_kbps"), ".0f")
        shown = {"rung": "", "video": "", "audio": "", "avq_mos": ".2f", **rates}
        return self.to_frame(), f"{self.delivery.title} in {self.folder}", shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """What encoding again came to."""

    first: Delivery
    """The order before."""
    orders: tuple[VideoOrder, ...]
    """Videos that were encoded again; none where every rung was within the tolerance."""
    better: tuple[VideoOrder, ...]
    """Those that came nearer, and were kept."""
    before: LadderDeviation
    """Predicted beside measured, before."""
    after: LadderDeviation
    """The same with all of `orders`."""
    kept: LadderDeviation
    """The same as the folder is now."""
    delivery: Delivery
    """The order now."""


def encode(
    source: str | os.PathLike[str],
    ladder: Ladders | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    title: str | None = None,
    preset: str | None = None,
    allow_commands: bool = False,
    language: str | None = None,
    audio_name: str = defaults.AUDIO_LABEL,
    refine: bool = False,
    tolerance: Tolerance | None = None,
    jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    audio_track: int | None = None,
    max_megapixels: float = defaults.MAX_MEGAPIXELS,
    ffmpeg: str | None = None,
    stall_s: float = defaults.STALL_S,
    feedback: Feedback | None = None,
) -> EncodeResult:
    """Encode every video and audio rendition of a ladder once, and write HLS and DASH over the same CMAF segments.

    `output/master.m3u8` is written last, so a folder with one is whole. An encode that was interrupted goes on where
    it stopped when it is called again. Call it below `if __name__ == "__main__":`, as it starts processes.

    Args:
        source: the media file.
        ladder: ladders, or a ladder file.
        output: a new or empty folder, or one where this very encode was interrupted.
        title: which ladder; the source's own when None.
        preset: of the video encoders, instead of the one that the ladder's renditions were probed with.
        allow_commands: run the programs that the ladder's encoders name, though nothing here has run them before.
        language: RFC 5646 tag of the audio; the source's when None.
        audio_name: name of the audio in a player's menu.
        refine: verify, and encode video that missed its rate or AVQ once more.
        tolerance: what `refine` keeps.
        jobs: processes; one per core when None.
        cache: where measurements are kept; the user's cache folder when None.
        audio_track: of the source, from 1; None for its own choice.
        max_megapixels: refuse a larger picture.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        ArgumentError: the language is none, or there are no jobs.
        DeliveryError: no ladder fits the source, or the folder holds something else.
        LadderFormatError: the ladder file cannot be read.
        MediaError: the source cannot be decoded, or an encode failed; what had finished stays.
        OutputError: the disk takes no more.
    """
    source, folder, feedback = Path(source), DeliveryFolder(Path(output).absolute()), feedback or Feedback()
    if jobs is not None:
        require_number("jobs", jobs, 1)
    if language is not None and standard_language(language) is None:
        raise ArgumentError(f"`language` is {language!r}; give a tag like en, de or pt-BR")
    jobs = jobs or os.cpu_count() or 1
    look = find_ffmpeg if refine else look_at_ffmpeg  # encoding alone needs no libvmaf
    program = replace(look(ffmpeg), stall_s=stall_s)
    mark = mark_of(source)
    info = probe(source, program, audio_track=audio_track, max_pixels=round(max_megapixels * 1e6))
    info = replace(info, mark=mark)
    source_hash = content_hash(source)
    with ladder_path(ladder) as path:
        chosen = choose_ladder(path, source, source_hash, title)
    check_source(info, chosen.ladder)
    store = open_cache(cache)
    scan = cached_scan(program, info, source_hash, store)
    for note in (*info.notes, *scan.notes):
        feedback.note(f"{source}: {note}")
    order = make_order(
        info,
        chosen,
        source_hash=source_hash,
        num_frames=scan.num_frames,
        scenes_s=_scenes_s(chosen, scan, info),
        weights_s=() if chosen.facts is None else chosen.facts.weights_s,
        ffmpeg=program,
        root=folder.root,
        preset=preset,
        threads=max(1, jobs // len({rung.video for rung in chosen.ladder.rungs})),
        language=standard_language(language or info.language or "und") or "und",
        label=audio_name,
        audio_track=audio_track,
    )
    if not allow_commands:
        refuse_strange_commands(order, store)
    for note in told_encoders(order, chosen.encoders, preset):
        feedback.note(note)
    delivery, finished = folder.open(order)
    damaged = damaged_streams(delivery, folder)
    for name, reason in damaged.items():
        feedback.note(f"{name} is not whole and is encoded again ({reason})")
    if finished and not damaged and all(folder.has(name) for name in delivery.stream_names):
        feedback.note(f"{output} is finished already")
        variants = read_variants(delivery, folder.root)
    else:
        with folder.begun(delivery):
            for name in damaged:
                folder.discard(name)
            steps = encode_streams(delivery, info, program, folder, jobs=jobs)
            for _ in follow(steps, f"{source.name}: encoding", feedback):
                pass
            held = hold_rates(delivery, info, program, folder, jobs=jobs)
            for step in follow(held, f"{source.name}: correcting rates", feedback):
                delivery = step.delivery
                if step.orders:
                    feedback.note(f"{source.name}: {_held_text(step)}")
            variants = publish(delivery, folder)
            folder.finish()
    result = EncodeResult(
        folder=Path(output),
        delivery=delivery,
        variants=tuple(variants),
        info=info,
        ffmpeg=program,
        cache=store,
        jobs=jobs,
    )
    return refine_delivery(result, tolerance or Tolerance(), feedback) if refine else result


def _held_text(held: HeldRates) -> str:
    """What was done about the rates of a short title, in a line."""
    seconds = float(held.delivery.num_frames / Fraction(held.delivery.fps))
    count = f"{len(held.orders)} of {len(held.delivery.videos)} videos"
    before, after = (f"{100 * rungs.largest_rate_deviation:+.1f} %" for rungs in (held.before, held.after))
    return (
        f"{seconds:.1f} s are too short for an encoder to hold its rates, so {count} were encoded again at corrected "
        f"ones (largest miss {before}, now {after})"
    )


def refine_delivery(encoded: EncodeResult, tolerance: Tolerance, feedback: Feedback | None = None) -> EncodeResult:
    """Measure, encode once more the video that missed its rate or AVQ, and keep what is nearer.

    Raises:
        MediaError: an encode or a measurement failed.
        OutputError: the disk takes no more.
    """
    feedback = feedback or Feedback()
    delivery, info, ffmpeg = encoded.delivery, encoded.info, encoded.ffmpeg
    folder = DeliveryFolder(encoded.folder.absolute())
    model = find_model(delivery, None, feedback)

    def compare(places: Mapping[str, Path], variants: Sequence[Variant]) -> LadderDeviation:
        scores = measure_delivery(
            delivery, places, info, ffmpeg, encoded.cache, model, jobs=encoded.jobs, feedback=feedback
        )
        return compare_rungs(delivery, variants, scores.avq_mos, scores.vmaf)

    variants: Sequence[Variant] = encoded.variants
    places = {name: folder.root / name for name in delivery.stream_names}
    before = compare(places, variants)
    first, orders = delivery, corrected_orders(delivery, before, tolerance)
    if not orders:
        refined = Refined(
            first=first, orders=(), better=(), before=before, after=before, kept=before, delivery=delivery
        )
        return replace(encoded, refined=refined)
    with folder.begun(delivery):
        folder.forget_refined()
        steps = encode_videos(orders, delivery, info, ffmpeg, folder, below=folder.refined, jobs=encoded.jobs)
        for _ in follow(steps, f"{info.path.name}: encoding again", feedback):
            pass
        places |= {order.name: folder.refined / order.name for order in orders}
        after = compare(places, read_variants(delivery, folder.root, places))
        better = better_orders(orders, before, after, tolerance)
        if better:
            folder.unpublish()
            for order in better:
                delivery = delivery.with_video(order)
                folder.exchange(order.name, delivery)
            variants = publish(delivery, folder)
        folder.finish()
    places |= {name: folder.root / name for name in delivery.stream_names}
    refined = Refined(
        first=first,
        orders=tuple(orders),
        better=tuple(better),
        before=before,
        after=after,
        kept=compare(places, variants),
        delivery=delivery,
    )
    return replace(encoded, delivery=delivery, variants=tuple(variants), refined=refined)


def _scenes_s(chosen: ChosenLadder, scan: CachedScan, info: MediaInfo) -> list[tuple[float, float]]:
    """The scenes over which the ladder's AVQ was predicted; the source's own where it was made from another file."""
    if chosen.facts is not None:
        return list(chosen.facts.scenes_s)
    scenes = split_scenes(chosen.ladder.title, scan.num_frames, scan.cuts, info.fps)
    return [(scene.start_s, scene.end_s) for scene in scenes]
