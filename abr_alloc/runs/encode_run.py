"""Encode a ladder, and encode again what missed its prediction."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.arguments import require_number
from abr_alloc.delivery.chosen_ladder import ChosenLadder, choose_ladder
from abr_alloc.delivery.deviation import LadderDeviation, Tolerance
from abr_alloc.delivery.encode import EncodeSetup, encode_streams, encode_videos
from abr_alloc.delivery.folder import DeliveryFolder
from abr_alloc.delivery.hold import hold_rates
from abr_alloc.delivery.ladder_union import join_ladders
from abr_alloc.delivery.order import check_ranges, check_source, make_order
from abr_alloc.delivery.ordered_encoders import refuse_strange_commands, told_encoders
from abr_alloc.delivery.packaging import Packaging, packaging_notes
from abr_alloc.delivery.publish import damaged_streams, publish, read_variants
from abr_alloc.delivery.refine import better_orders, corrected_orders
from abr_alloc.delivery.shot_orders import shot_spans_s
from abr_alloc.delivery.source_scan import CachedScan, cached_scan
from abr_alloc.delivery.subtitles import write_subtitles
from abr_alloc.encoders import GOP_S, VideoEncoder
from abr_alloc.errors import ArgumentError
from abr_alloc.exporting.presentation import Variant
from abr_alloc.measure.cache import open_cache
from abr_alloc.media.ffmpeg import find_ffmpeg, look_at_ffmpeg
from abr_alloc.media.probe import MediaInfo, content_hash, mark_of
from abr_alloc.media.scenes import split_scenes
from abr_alloc.runs.encode_result import EncodeResult, Refined, held_text, peak_notes
from abr_alloc.runs.encode_tracks import TrackWishes, choose_tracks, lost_captions, probe_wished
from abr_alloc.runs.feedback import Feedback, follow
from abr_alloc.runs.ladder_run import Ladders, ladder_path
from abr_alloc.runs.verify_run import compare_delivery, find_model, measure_delivery

__all__ = ["EncodeResult", "Refined", "encode", "refine_delivery"]


def encode(
    source: str | os.PathLike[str],
    ladder: Ladders | str | os.PathLike[str] | Sequence[Ladders | str | os.PathLike[str]],
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
    scheduler: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    audio_track: int | Sequence[int] | None = None,
    audio_languages: Sequence[str] | None = None,
    subtitle_languages: Sequence[str] | None = None,
    subtitles: Sequence[tuple[str, str | os.PathLike[str]]] = (),
    packaging: Packaging | None = None,
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
        ladder: ladders, or a ladder file; several of one title to deliver together, such as SDR beside HDR.
        output: a new or empty folder, or one where this very encode was interrupted.
        title: which ladder; the source's own when None.
        preset: of the video encoders, instead of the one that the ladder's renditions were probed with.
        allow_commands: run the programs that the ladder's encoders name, though nothing here has run them before.
        language: RFC 5646 tag of the audio; the source's when None.
        audio_name: name of the audio in a player's menu.
        refine: verify, and encode video that missed its rate or AVQ once more.
        tolerance: what `refine` keeps.
        jobs: processes; one per core when None.
        scheduler: address of a Dask scheduler whose workers encode instead; they must see `source` and `output`.
        cache: where measurements are kept; the user's cache folder when None.
        audio_track: of the source, from 1: one is all the sound there is, of several the first is the film's own and
            the others are delivered beside it. None for all tracks, the film's own being what the file says it is.
        audio_languages: RFC 5646 tags of the tracks that are delivered, the film's own first; None for all.
        subtitle_languages: of the source's subtitles that are delivered; None for all, an empty list for none.
        subtitles: languages and files of subtitles beside the source.
        packaging: lengths of segments and groups of pictures, files, audio alone; the usual ones when None.
        max_megapixels: refuse a larger picture.
        ffmpeg: program; the one that is found when None.
        stall_s: end an ffmpeg that has neither read nor written for so long, seconds; 0 for never.
        feedback: who listens.

    Raises:
        ArgumentError: a language is none, or there are no jobs.
        ClusterError: the cluster cannot be reached or used.
        DeliveryError: no ladder fits the source, or the folder holds something else.
        LadderFormatError: the ladder file cannot be read.
        MediaError: the source cannot be decoded, or an encode failed; what had finished stays.
        OutputError: the disk takes no more.
    """
    source, folder, feedback = Path(source), DeliveryFolder(Path(output).absolute()), feedback or Feedback()
    if jobs is not None:
        require_number("jobs", jobs, 1)
    wishes = TrackWishes.of(audio_track, language, audio_languages, subtitle_languages, subtitles)
    jobs = jobs or os.cpu_count() or 1
    look = find_ffmpeg if refine else look_at_ffmpeg  # encoding alone needs no libvmaf
    program = replace(look(ffmpeg), stall_s=stall_s)
    mark = mark_of(source)
    info, number = probe_wished(source, program, wishes, max_pixels=round(max_megapixels * 1e6))
    info = replace(info, mark=mark, path=info.path if scheduler is None else info.path.absolute())
    source_hash = content_hash(source)
    each = []
    for one in [ladder] if isinstance(ladder, (str, os.PathLike, Ladders)) else ladder:
        with ladder_path(one) as path:
            each.append(choose_ladder(path, source, source_hash, title))
        check_source(info, each[-1].ladder)
        check_ranges(info, each[-1].ladder, each[-1].tone_map)
    if not each:
        raise ArgumentError("`ladder` names no ladder; give one")
    chosen = join_ladders(each)
    store = open_cache(cache)
    scan = cached_scan(program, info, source_hash, store)
    surround = any(rung.surround is not None for rung in chosen.ladder.rungs)
    length_s = scan.num_frames / info.fps
    tracks = choose_tracks(info, program, length_s, wishes, audio_name, with_surround=surround)
    for note in (*info.notes, *scan.notes, *tracks.notes):
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
        threads=_threads(chosen, 1 if scheduler is not None else jobs),
        language=tracks.language,
        label=tracks.label,
        audio_track=number,
        further=tracks.further,
        subtitles=tracks.subtitles.orders,
        packaging=packaging or Packaging(),
    )
    if not allow_commands:
        refuse_strange_commands(order, store)
    probed_gops_s = {encoder.gop_s for encoder in chosen.encoders.values() if isinstance(encoder, VideoEncoder)}
    notes = told_encoders(order, chosen.encoders, preset)
    for note in (*notes, *packaging_notes(packaging or Packaging(), order, probed_gops_s or {GOP_S})):
        feedback.note(note)
    setup = EncodeSetup(info=info, ffmpeg=program, cache=store, jobs=jobs, scheduler=scheduler)
    delivery, finished = folder.open(order)
    damaged = damaged_streams(delivery, folder)
    for name, reason in damaged.items():
        feedback.note(f"{name} is not whole and is encoded again ({reason})")
    if finished and not damaged and all(folder.has(name) for name in delivery.names):
        feedback.note(f"{output} is finished already")
        variants = read_variants(delivery, folder.root)
    else:
        with folder.begun(delivery):
            for name in damaged:
                folder.discard(name)
            write_subtitles(delivery, tracks.subtitles.texts, folder)
            for step in follow(encode_streams(delivery, setup, folder), f"{source.name}: encoding", feedback):
                delivery = step.delivery
                for note in (*step.notes, *peak_notes(step)):
                    feedback.note(f"{source.name}: {note}")
            held = hold_rates(delivery, setup, folder)
            for step in follow(held, f"{source.name}: correcting rates", feedback):
                delivery = step.delivery
                if step.orders:
                    feedback.note(f"{source.name}: {held_text(step)}")
            variants = publish(delivery, folder)
            for note in lost_captions(info, variants):
                feedback.note(f"{source.name}: {note}")
            folder.finish()
    result = EncodeResult(
        folder=Path(output),
        delivery=delivery,
        variants=tuple(variants),
        info=info,
        ffmpeg=program,
        cache=store,
        jobs=jobs,
        scheduler=scheduler,
    )
    return refine_delivery(result, tolerance or Tolerance(), feedback) if refine else result


def _threads(chosen: ChosenLadder, jobs: int) -> int:
    """Threads of every video encode: one where shots are encoded by themselves, which keep all cores busy, so that what
    comes of them does not depend on the number of cores."""
    videos = {rung.video for rung in chosen.ladder.rungs}
    return 1 if any(video.per_shot for video in videos) else max(1, jobs // len(videos))


def refine_delivery(encoded: EncodeResult, tolerance: Tolerance, feedback: Feedback | None = None) -> EncodeResult:
    """Measure, encode once more the video that missed its rate or AVQ, and keep what is nearer.

    Raises:
        MediaError: an encode or a measurement failed.
        OutputError: the disk takes no more.
    """
    feedback = feedback or Feedback()
    delivery, info, ffmpeg = encoded.delivery, encoded.info, encoded.ffmpeg
    setup = EncodeSetup(info=info, ffmpeg=ffmpeg, cache=encoded.cache, jobs=encoded.jobs, scheduler=encoded.scheduler)
    folder = DeliveryFolder(encoded.folder.absolute())
    model = find_model(delivery, None, feedback)

    def compare(places: Mapping[str, Path], variants: Sequence[Variant]) -> LadderDeviation:
        scores = measure_delivery(
            delivery, places, info, ffmpeg, encoded.cache, model, jobs=encoded.jobs, feedback=feedback
        )
        return compare_delivery(delivery, variants, places, scores)

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
        steps = encode_videos(orders, delivery, setup, folder, below=folder.refined)
        for step in follow(steps, f"{info.path.name}: encoding again", feedback):
            orders = [step.delivery.video(order.name) for order in orders]
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
    shots_s = shot_spans_s([rung.video for rung in chosen.ladder.rungs])
    if chosen.facts is not None and not shots_s:
        return list(chosen.facts.scenes_s)
    # Shots that are too short to be compared by their sound are looked at with their neighbours.
    cuts = [round(start_s * info.fps) for start_s, _ in shots_s[1:]] if shots_s else scan.cuts
    scenes = split_scenes(chosen.ladder.title, scan.num_frames, cuts, info.fps)
    return [(scene.start_s, scene.end_s) for scene in scenes]
