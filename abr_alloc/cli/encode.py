"""`abr-alloc encode`: from a ladder to a stream that plays."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abr_alloc.cli import options, places
from abr_alloc.cli.parameters import with_options
from abr_alloc.cli.printing import echo
from abr_alloc.export.presentation import AUDIO_LABEL

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from abr_alloc.delivery.deviation import LadderDeviation, Tolerance
    from abr_alloc.delivery.encode import CachedScan
    from abr_alloc.delivery.folder import DeliveryFolder
    from abr_alloc.delivery.hold import HeldRates
    from abr_alloc.delivery.order import ChosenLadder
    from abr_alloc.export.presentation import Variant
    from abr_alloc.formats.delivery_record import Delivery
    from abr_alloc.measure.cache import Cache
    from abr_alloc.measure.extract import Progress
    from abr_alloc.media.ffmpeg import FFmpeg
    from abr_alloc.media.probe import MediaInfo

__all__ = ["command"]


class _Language(click.ParamType):
    """A language tag, made RFC 5646's own shortest form: eng becomes en."""

    name = "tag"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = standard_language(str(value))
        if found is None:
            self.fail(f"{value!r} is no language; give a tag like en, de or pt-BR", param, ctx)
        return found


def standard_language(text: str) -> str | None:
    """A language's tag by RFC 5646, or None where it is none."""
    import langcodes

    try:
        tag = langcodes.standardize_tag(text)
        return tag if langcodes.tag_is_valid(tag) else None
    except ValueError:
        return None


@click.command("encode", short_help="Encode a ladder and package it as HLS and DASH.")
@click.argument("source", type=options.PATH)
@click.option(
    "--ladder", "ladder_path", type=options.PATH, required=True, metavar="LADDER.json",
    help="A ladder file of `abr-alloc ladder -o`.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=options.PATH, required=True, metavar="DIR",
    help="A new or empty folder; or one where this very encode was interrupted.",
)  # fmt: skip
@click.option("--title", help="Which ladder of the file; the source's own when absent.")
@click.option("--preset", help="Video encoder preset; h264 and hevc: fast, av1: 8 when absent, as `extract` has it.")
@click.option("--language", type=_Language(), help="Language of the audio (en, pt-BR); the source's tag when absent.")
@click.option("--audio-name", default=AUDIO_LABEL, show_default=True, help="Name of the audio in a player's menu.")
@click.option(
    "--refine", is_flag=True,
    help="Verify, and encode video that missed its rate or AVQ once more with a corrected rate.",
)  # fmt: skip
@options.tolerance_option
@options.jobs_option
@options.cache_option
@options.audio_track_option
@options.max_megapixels_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    source: Path,
    ladder_path: Path,
    output: Path,
    title: str | None,
    preset: str | None,
    language: str | None,
    audio_name: str,
    refine: bool,
    tolerance: Tolerance,
    jobs: int,
    cache_dir: Path | None,
    audio_track: int | None,
    max_megapixels: float,
    ffmpeg_path: str | None,
    stall_s: float,
) -> int:
    """Encode every video and audio rendition of a ladder once and write HLS and DASH over the same CMAF segments.

    DIR/master.m3u8 lists the ladder's pairs and is written last, so a folder with one is whole. An encode that was
    interrupted goes on where it stopped when the same command is run again.

    Exit code 1 when a rung is beyond the tolerance after --refine.
    """
    places.refuse_file(output)
    given = click.get_current_context().get_parameter_source("tolerance")
    if given is ParameterSource.COMMANDLINE and not refine:
        raise click.UsageError("--tolerance is what --refine keeps; give both, or `abr-alloc verify --tolerance`")

    from abr_alloc.cli.delivery_table import delivered_text
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.delivery.encode import cached_scan, encode_streams
    from abr_alloc.delivery.folder import DeliveryFolder
    from abr_alloc.delivery.order import check_source, choose_ladder, make_order
    from abr_alloc.delivery.publish import damaged_streams, publish, read_variants
    from abr_alloc.measure.cache import Cache, default_cache_dir
    from abr_alloc.media.ffmpeg import find_ffmpeg, look_at_ffmpeg
    from abr_alloc.media.probe import content_hash, mark_of, probe

    found = find_ffmpeg(ffmpeg_path) if refine else look_at_ffmpeg(ffmpeg_path)  # to encode needs no libvmaf
    ffmpeg = replace(found, stall_s=stall_s)
    mark = mark_of(source)
    info = probe(source, ffmpeg, audio_track=audio_track, max_pixels=round(max_megapixels * 1e6))
    info = replace(info, mark=mark)
    source_hash = content_hash(source)
    chosen = choose_ladder(ladder_path, source, source_hash, title)
    check_source(info, chosen.ladder)
    cache = Cache(cache_dir or default_cache_dir())
    scan = cached_scan(ffmpeg, info, source_hash, cache)
    for note in (*info.notes, *scan.notes):
        inform(f"{source}: {with_options(note)}")
    folder = DeliveryFolder(output.absolute())
    order = make_order(
        info,
        chosen,
        source_hash=source_hash,
        num_frames=scan.num_frames,
        scenes_s=_scenes_s(chosen, scan, info),
        weights_s=() if chosen.facts is None else chosen.facts.weights_s,
        ffmpeg=ffmpeg,
        root=folder.root,
        preset=preset,
        threads=max(1, jobs // len({rung.video for rung in chosen.ladder.rungs})),
        language=language or standard_language(info.language or "und") or "und",
        label=audio_name,
        audio_track=audio_track,
    )
    delivery, finished = folder.open(order)
    damaged = damaged_streams(delivery, folder)
    for name, reason in damaged.items():
        inform(f"{name} is not whole and is encoded again ({reason})")
    if finished and not damaged and all(folder.has(name) for name in delivery.stream_names):
        inform(f"{output} is finished already")
        variants = read_variants(delivery, folder.root)
    else:
        with folder.begun(delivery):
            for name in damaged:
                folder.discard(name)
            _follow(encode_streams(delivery, info, ffmpeg, folder, jobs=jobs), f"{source.name}: encoding")
            delivery = _hold_rates(delivery, info, folder, ffmpeg, jobs)
            variants = publish(delivery, folder)
            folder.finish()
    echo(delivered_text(delivery, variants, output), nl=False)
    if not refine:
        return 0
    return 0 if _refine(delivery, variants, info, folder, ffmpeg, cache, tolerance, jobs) else 1


def _follow(steps: Generator[Progress, None, None], label: str) -> None:
    from abr_alloc.cli.progress import progress

    # Closing the generator stops the workers at once, wherever an interrupt lands.
    with contextlib.closing(steps), progress(label) as update:
        for step in steps:
            update(step.done, step.total, step.label)


def _hold_rates(delivery: Delivery, info: MediaInfo, folder: DeliveryFolder, ffmpeg: FFmpeg, jobs: int) -> Delivery:
    """Encode video of a short title once more where it missed its rate; the order as it stands then."""
    from abr_alloc.cli.progress import progress
    from abr_alloc.cli.verbosity import inform
    from abr_alloc.delivery.hold import hold_rates
    from abr_alloc.measure.extract import Progress

    steps = hold_rates(delivery, info, ffmpeg, folder, jobs=jobs)
    with contextlib.closing(steps), progress(f"{info.path.name}: correcting rates") as update:
        for step in steps:
            if isinstance(step, Progress):
                update(step.done, step.total, step.label)
            else:
                delivery = step.delivery
                if step.orders:
                    inform(f"{info.path.name}: {_held_text(step)}")
    return delivery


def _held_text(held: HeldRates) -> str:
    """What was done about the rates of a short title, in a line."""
    seconds = float(held.delivery.num_frames / Fraction(held.delivery.fps))
    count = f"{len(held.orders)} of {len(held.delivery.videos)} videos"
    before, after = (f"{100 * found.largest_rate_deviation:+.1f} %" for found in (held.before, held.after))
    return (
        f"{seconds:.1f} s are too short for an encoder to hold its rates, so {count} were encoded again at corrected "
        f"ones (largest miss {before}, now {after})"
    )


def _refine(
    delivery: Delivery,
    variants: Sequence[Variant],
    info: MediaInfo,
    folder: DeliveryFolder,
    ffmpeg: FFmpeg,
    cache: Cache,
    tolerance: Tolerance,
    jobs: int,
) -> bool:
    """Measure, encode once more what missed, and keep what is nearer; whether the ladder is within the tolerance."""
    from abr_alloc.cli.delivery_table import refined_text, verified_text
    from abr_alloc.cli.verify import find_model, measure
    from abr_alloc.delivery.deviation import compare_rungs
    from abr_alloc.delivery.encode import encode_videos
    from abr_alloc.delivery.publish import publish, read_variants
    from abr_alloc.delivery.refine import better_orders, corrected_orders

    model = find_model(delivery, None)

    def compare(places: Mapping[str, Path], found: Sequence[Variant]) -> LadderDeviation:
        scores = measure(delivery, places, info, ffmpeg, cache, model, jobs=jobs)
        return compare_rungs(delivery, found, scores.avq_mos, scores.vmaf)

    places = {name: folder.root / name for name in delivery.stream_names}
    before = compare(places, variants)
    first, orders = delivery, corrected_orders(delivery, before, tolerance)
    if not orders:
        echo("\n" + verified_text(delivery, before, tolerance), nl=False)
        return before.keeps(tolerance)
    with folder.begun(delivery):
        folder.forget_refined()
        _follow(
            encode_videos(orders, delivery, info, ffmpeg, folder, below=folder.refined, jobs=jobs),
            f"{info.path.name}: encoding again",
        )
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
    echo("\n" + refined_text(first, orders, better, before, after), nl=False)
    found = compare(places, variants)
    echo("\n" + verified_text(delivery, found, tolerance), nl=False)
    return found.keeps(tolerance)


def _scenes_s(chosen: ChosenLadder, scan: CachedScan, info: MediaInfo) -> list[tuple[float, float]]:
    """The scenes over which the ladder's AVQ was predicted; the source's own where it was made from another file."""
    from abr_alloc.media.scenes import split_scenes

    if chosen.facts is not None:
        return list(chosen.facts.scenes_s)
    found = split_scenes(chosen.ladder.title, scan.num_frames, scan.cuts, info.fps)
    return [(scene.start_s, scene.end_s) for scene in found]
