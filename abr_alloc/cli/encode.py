"""`abr-alloc encode`: from a ladder to a stream that plays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from abr_alloc import defaults
from abr_alloc.cli import options, places
from abr_alloc.cli.printing import echo

if TYPE_CHECKING:
    from abr_alloc.delivery.deviation import Tolerance

__all__ = ["command"]


class _Language(click.ParamType):
    """A language tag, made RFC 5646's own shortest form: eng becomes en."""

    name = "tag"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from abr_alloc.languages import standard_language

        found = standard_language(str(value))
        if found is None:
            self.fail(f"{value!r} is no language; give a tag like en, de or pt-BR", param, ctx)
        return found


class _Languages(_Language):
    """Language tags with commas between them; nothing, or `none`, is an empty list."""

    name = "tags"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        words = [word.strip() for word in str(value).split(",")] if str(value) != "none" else []
        return tuple(super(_Languages, self).convert(word, param, ctx) for word in words)


class _SubtitleFile(_Language):
    """A language tag and a file: de=film.de.srt."""

    name = "tag=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        tag, mark, path = str(value).partition("=")
        if not mark or not path:
            self.fail(f"{value!r} is no language and file; give them like de=film.de.srt", param, ctx)
        return super().convert(tag, param, ctx), Path(path)


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
@click.option("--preset", help="Another video encoder preset than the one that the ladder was probed with.")
@click.option(
    "--allow-commands", is_flag=True,
    help="Run the programs that the ladder's encoders name, though `extract` has not run them here (docs/encoders.md).",
)  # fmt: skip
@click.option("--language", type=_Language(), help="Language of the audio (en, pt-BR); the source's tag when absent.")
@click.option(
    "--audio-name", default=defaults.AUDIO_LABEL, show_default=True, help="Name of the audio in a player's menu."
)
@click.option(
    "--refine", is_flag=True,
    help="Verify, and encode video that missed its rate or AVQ once more with a corrected rate.",
)  # fmt: skip
@click.option(
    "--audio-track", type=click.IntRange(min=1), metavar="N", multiple=True,
    help="Audio track of the source, counted from 1: the only one that is delivered, or with further ones given, the "
    "film's own. [default: all; the film's own by what the file says]",
)  # fmt: skip
@click.option(
    "--audio-languages", type=_Languages(), metavar="TAGS",
    help="Languages of the audio tracks that are delivered, the film's own first (en,de). [default: all]",
)  # fmt: skip
@click.option(
    "--subtitle-languages", type=_Languages(), metavar="TAGS",
    help="Languages of the source's subtitles that are delivered; none for no subtitles. [default: all]",
)  # fmt: skip
@click.option(
    "--subtitles", type=_SubtitleFile(), metavar="TAG=FILE", multiple=True,
    help="Subtitles beside the source: a language and a file of SRT, WebVTT or ASS (de=film.de.srt).",
)  # fmt: skip
@options.tolerance_option
@options.jobs_option
@options.cluster_option
@options.cache_option
@options.max_megapixels_option
@options.ffmpeg_option
@options.stall_timeout_option
def command(
    source: Path,
    ladder_path: Path,
    output: Path,
    title: str | None,
    preset: str | None,
    allow_commands: bool,
    language: str | None,
    audio_name: str,
    refine: bool,
    audio_track: tuple[int, ...],
    audio_languages: tuple[str, ...] | None,
    subtitle_languages: tuple[str, ...] | None,
    subtitles: tuple[tuple[str, Path], ...],
    tolerance: Tolerance,
    jobs: int,
    scheduler: str | None,
    cache_dir: Path | None,
    max_megapixels: float,
    ffmpeg_path: str | None,
    stall_s: float,
) -> int:
    """Encode every video and audio rendition of a ladder once and write HLS and DASH over the same CMAF segments.

    DIR/master.m3u8 lists the ladder's pairs and is written last, so a folder with one is whole. An encode that was
    interrupted goes on where it stopped when the same command is run again. A ladder that gives every scene its own
    parameters is encoded scene by scene.

    Exit code 1 when a rung is beyond the tolerance after --refine.
    """
    places.refuse_file(output)
    if audio_track and audio_languages:
        raise click.UsageError("--audio-track and --audio-languages exclude each other; give one")
    given = click.get_current_context().get_parameter_source("tolerance")
    if given is ParameterSource.COMMANDLINE and not refine:
        raise click.UsageError("--tolerance is what --refine keeps; give both, or `abr-alloc verify --tolerance`")

    from abr_alloc.cli.delivery_table import delivered_text, refined_text, verified_text
    from abr_alloc.cli.listening import listener
    from abr_alloc.media.ffmpeg import find_ffmpeg
    from abr_alloc.runs.encode_run import encode, refine_delivery

    if refine:
        find_ffmpeg(ffmpeg_path)  # one without libvmaf is refused before any work
    feedback = listener()
    found = encode(
        source,
        ladder_path,
        output,
        title=title,
        preset=preset,
        allow_commands=allow_commands,
        language=language,
        audio_name=audio_name,
        jobs=jobs,
        scheduler=scheduler,
        cache=cache_dir,
        audio_track=audio_track or None,
        audio_languages=audio_languages,
        subtitle_languages=subtitle_languages,
        subtitles=subtitles,
        max_megapixels=max_megapixels,
        ffmpeg=ffmpeg_path,
        stall_s=stall_s,
        feedback=feedback,
    )
    echo(delivered_text(found.delivery, found.variants, output), nl=False)
    if not refine:
        return 0
    refined = refine_delivery(found, tolerance, feedback).refined
    assert refined is not None
    if refined.orders:
        text = refined_text(refined.first, refined.orders, refined.better, refined.before, refined.after)
        echo("\n" + text, nl=False)
    echo("\n" + verified_text(refined.delivery, refined.kept, tolerance), nl=False)
    return 0 if refined.kept.keeps(tolerance) else 1
