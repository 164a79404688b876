"""Renditions for delivery: closed GOPs at the same frames in all of them, rates held in two passes, CMAF segments.

Each rendition is encoded and cut by itself. With edit lists for what a decoder needs before its first frame, all begin
at time 0, and with key frames at the same frames, all can be switched at the same times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.errors import UnsupportedMediaError
from abr_alloc.media.bitstream import Fragment, picture_size, read_fragment
from abr_alloc.media.captions import caption_words
from abr_alloc.media.command_encoder import Frames, encode_by_command
from abr_alloc.media.encoder_arguments import Ask, delivery_arguments, num_passes
from abr_alloc.media.ffmpeg import INPUT_GUARD, FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.sample_entries import told_size
from abr_alloc.media.segments import INIT_NAME, init_paths, segment_paths

__all__ = [
    "encode_rendition",
    "package",
    "read_segments",
    "segment_inits",
]


def encode_rendition(
    ffmpeg: FFmpeg,
    info: MediaInfo,
    target: VideoTarget,
    ask: Ask,
    path: Path,
    *,
    threads: int = 1,
    progress: Sequence[Path] = (),
) -> None:
    """Encode a rendition for delivery to an MP4 file.

    A rate is held within a buffer of 2 s at 1.5 times it where the encoder can. Statistics of a first pass are left in
    the file's folder.

    Args:
        ffmpeg: the program.
        info: the source.
        target: size and encoder; its own target is not looked at.
        ask: what the encoder is asked for.
        path: what to write; passes of renditions in one folder would disturb each other.
        threads: threads of the encoder.
        progress: a file for every pass, in which ffmpeg tells how far it is.

    Raises:
        ToolFailedError: the encoder failed.
        ToolMissingError: the encoder is not in this ffmpeg.
    """
    encoder = target.encoder
    assert encoder is not None  # what was there before is not encoded
    # Even sides change the picture's shape by a hair; `scale` would say so by pixels that are not square, and players
    # would show a line more or less than the manifest tells.
    chain = f"{video_chain(info)},scale={target.width_px}:{target.height_px}:flags=bicubic,setsar=1"
    source = [*source_input(info), "-map", f"0:{info.video_index}", "-an", "-sn", "-dn", "-map_metadata", "-1"]
    if encoder.command:
        frames = Frames(
            source=tuple(source),
            chain=chain,
            samples=encoder.pixel_format or VIDEO_CODECS[encoder.codec].pixel_format(info.pixel_format),
            fps=info.fps,
            width_px=target.width_px,
            height_px=target.height_px,
            num_frames=round(info.duration_s * info.fps),
        )
        encode_by_command(ffmpeg, encoder, ask, frames, path, threads=threads)
        return
    passes = (1, 2) if num_passes(ask) == 2 else (0,)
    for index, number in enumerate(passes):
        output: list[str | Path] = ["-f", "null", "-"] if number == 1 else ["-f", "mp4", path.resolve()]
        asked = delivery_arguments(
            ffmpeg, encoder, ask, fps=info.fps, samples=info.pixel_format, threads=threads, number=number
        )
        captions = caption_words(ffmpeg, encoder) if info.has_captions else []
        ffmpeg.run(
            [*asked.before, *source, "-vf", f"{chain}{asked.filters}", "-fps_mode", "passthrough"]
            + [*asked.words, *captions, *output],
            cwd=path.parent,
            report=progress[index] if progress else None,
        )


def package(ffmpeg: FFmpeg, encode: Path, duration_s: Fraction, folder: Path) -> None:
    """Cut an encode into CMAF segments: `init.mp4`, `00001.m4s` and so on, in an existing empty folder.

    Video is cut at key frames, audio at the first frame from each multiple of the duration on. What a decoder needs
    before time 0 (reordered frames, an audio coder's lead-in) stands in the initialisation segment as an edit list.
    Every GOP is a movie fragment of its own, so that its key frame can be read alone.

    Args:
        ffmpeg: the program.
        encode: the only stream, in an MP4 file.
        duration_s: length of a segment, seconds.
        folder: where to write.

    Raises:
        ToolFailedError: ffmpeg failed.
    """
    microseconds = math.floor(duration_s * 1_000_000)  # down: no boundary may come after its key frame
    ffmpeg.run(
        [*INPUT_GUARD, "-i", encode.resolve(), "-map", "0", "-c", "copy", "-map_metadata", "-1", "-f", "dash"]
        + ["-dash_segment_type", "mp4", "-use_timeline", "0", "-seg_duration", f"{microseconds}us"]
        + ["-format_options", "movflags=+cmaf+frag_keyframe+skip_sidx", "-init_seg_name", INIT_NAME]
        + ["-media_seg_name", "$Number%05d$.m4s", "manifest.mpd"],
        cwd=folder,
    )
    (folder / "manifest.mpd").unlink()
    for path in segment_paths(folder):
        _mark_as_cmaf(path)


def _mark_as_cmaf(path: Path) -> None:
    """ffmpeg calls every segment an indexed one (brand msix), which without `sidx` it is not: it is CMAF's (cmfs)."""
    with path.open("r+b") as file:
        head = file.read(24)
        if head[4:8] == b"styp" and head[20:24] == b"msix":
            file.seek(20)
            file.write(b"cmfs")


def read_segments(folder: Path) -> list[Fragment]:
    """Look into every segment of a stream's folder.

    Raises:
        UnsupportedMediaError: one is missing or cannot be read.
    """
    names = segment_inits(folder)
    inits = {name: (folder / name).read_bytes() for name in dict.fromkeys(names)}
    return [
        read_fragment(path.read_bytes(), inits[name], name=str(path))
        for path, name in zip(segment_paths(folder), names, strict=True)
    ]


def segment_inits(folder: Path) -> list[str]:
    """For every media segment in a stream's folder the name of the initialisation segment that it plays with: the one
    of its pictures' size.

    Raises:
        UnsupportedMediaError: a segment is missing, or has pictures of a size that no initialisation segment has.
    """
    segments, inits = segment_paths(folder), init_paths(folder)
    if len(inits) == 1:
        return [inits[0].name] * len(segments)
    first, found = inits[0].read_bytes(), []
    names = {_told_size(path): path.name for path in inits}
    for path in segments:
        size = picture_size(path.read_bytes(), first, name=str(path))
        if size not in names:
            raise UnsupportedMediaError(
                f"{path} has pictures of {size[0]}x{size[1]}, which no initialisation segment beside it has; encode "
                "the ladder again",
                path=str(path),
            )
        found.append(names[size])
    return found


def _told_size(init: Path) -> tuple[int, int]:
    try:
        return told_size(init.read_bytes())
    except ValueError as error:
        raise UnsupportedMediaError(f"{init} cannot be read; encode the ladder again", path=str(init)) from error
