"""Encode one shot of a title by itself, so that it can be joined with others into one stream (`shot_joining`).

Its GOPs are closed and count from its first frame, and what is said once per stream (parameter sets) does not depend on
the quality that it is asked for, where the encoder allows.

Asked for a quality, x264 and x265 derive the quantiser of a key frame from those of the frames before it, and that of
the first one from the quality alone: it comes out a seventh smaller than where the same shot is encoded within its
title, as probes are. So a shot is led in by a GOP or more of its first frame standing still, which is thrown away; its
rate is then the one that was probed. Whole GOPs, because x265 makes less of a key frame that is forced elsewhere.
"""

from __future__ import annotations

import itertools
import math
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import MediaError
from abr_alloc.media.bitstream import read_fragment
from abr_alloc.media.captions import caption_words
from abr_alloc.media.coding import gop_frames
from abr_alloc.media.command_encoder import Frames, encode_by_command
from abr_alloc.media.encoder_arguments import Ask, num_passes, shot_arguments
from abr_alloc.media.ffmpeg import INPUT_GUARD, ONE_THREAD, FFmpeg
from abr_alloc.media.grid import VideoTarget
from abr_alloc.media.movie_fragments import FragmentedTrack, fragment_bytes, head_bytes, read_gop, read_track
from abr_alloc.media.normalise import source_input
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.sample_entries import cut_notes, entry_of, plain_entry
from abr_alloc.writing import written_whole

__all__ = ["encode_shot"]

LEAD_FRAMES = 48
"""Least length of a lead-in: both encoders weigh quantisers by 0.95 to the power of their distance in frames (x265: in
frames that are no B-frames)."""

_FRAGMENTED = ("-movflags", "+cmaf+frag_keyframe+skip_sidx+skip_trailer", "-f", "mp4")


def encode_shot(
    ffmpeg: FFmpeg,
    info: MediaInfo,
    target: VideoTarget,
    ask: Ask,
    part: Part,
    path: Path,
    *,
    threads: int = 1,
    progress: Sequence[Path] = (),
) -> None:
    """Encode a shot to a fragmented MP4 file, in which every GOP is a movie fragment.

    Args:
        ffmpeg: the program.
        info: the source.
        target: size and encoder; its own target is not looked at.
        ask: what the encoder is asked for.
        part: the shot, with the place from which it is read (`seek.prove_seek`); its tail is not encoded.
        path: what to write; it appears whole, and work is done in a folder beside it that is gone in the end.
        threads: threads of the encoder.
        progress: a file for every pass, in which ffmpeg tells how far it is.

    Raises:
        ToolFailedError: the encoder failed.
        ToolMissingError: the encoder is not in this ffmpeg, or the command's program is not there.
        MediaError: what was written is not the shot: it has another number of frames, or no IDR picture where a GOP has
            to begin.
    """
    encoder = target.encoder
    assert encoder is not None  # what was there before is not encoded
    lead = _lead_frames(info, encoder, ask, part)
    chain = f"{part.chain(info)},scale={target.width_px}:{target.height_px}:flags=bicubic,setsar=1"
    chain += f",tpad=start={lead}:start_mode=clone,setpts=N" if lead else ""
    source = [*ONE_THREAD, *source_input(info, seek_s=part.seek_s)]
    source += ["-map", f"0:{info.video_index}", "-an", "-sn", "-dn", "-map_metadata", "-1", "-filter_threads", "1"]
    with tempfile.TemporaryDirectory(prefix="shot.", dir=path.absolute().parent) as folder:
        encode = Path(folder) / "shot.mp4"
        if encoder.command:
            frames = Frames(
                source=tuple(source),
                chain=chain,
                samples=encoder.pixel_format or VIDEO_CODECS[encoder.codec].pixel_format(info.pixel_format),
                fps=info.fps,
                width_px=target.width_px,
                height_px=target.height_px,
                num_frames=part.num_frames,
            )
            written = encode.with_name("command.mp4")
            encode_by_command(ffmpeg, encoder, ask, frames, written, threads=threads)
            ffmpeg.run([*INPUT_GUARD, "-i", written, "-map", "0", "-c", "copy", *_FRAGMENTED, encode])
        passes = () if encoder.command else (1, 2) if num_passes(ask) == 2 else (0,)
        for index, number in enumerate(passes):
            output: list[str | Path] = ["-f", "null", "-"] if number == 1 else [*_FRAGMENTED, encode]
            asked = shot_arguments(
                *(ffmpeg, encoder, ask),
                fps=info.fps,
                samples=info.pixel_format,
                threads=threads,
                number=number,
            )
            ffmpeg.run(
                [*asked.before, *source, "-vf", f"{chain}{asked.filters}", "-fps_mode", "passthrough"]
                + [*asked.words, *(caption_words(ffmpeg, encoder) if info.has_captions else []), *output],
                cwd=Path(folder),
                report=progress[index] if progress else None,
            )
        try:
            track = read_track(encode, info.fps)
            with written_whole(path) as partial:
                _write(track, lead, partial)
                _check(partial, info, encoder, part)
        except (ValueError, struct.error, IndexError) as error:
            raise MediaError(
                f"{_named(info, part)} was encoded to what cannot be joined with others: {error}", path=str(info.path)
            ) from error


def _named(info: MediaInfo, part: Part) -> str:
    return f"{info.path}: the shot of {part.num_frames} frames from frame {part.first_frame} on"


def _lead_frames(info: MediaInfo, encoder: VideoEncoder, ask: Ask, part: Part) -> int:
    """Frames that are encoded before a shot; none before the title's first, whose probe began as it does."""
    software, gop = encoder.software, gop_frames(info.fps, encoder.gop_s)
    finds = software is not None and software.finds_its_level and ask.mode in ("crf", "capped-crf")
    return gop * math.ceil(LEAD_FRAMES / gop) if finds and part.first_frame else 0


def _write(track: FragmentedTrack, lead: int, path: Path) -> None:
    """A shot without its lead-in, and without what its encoder says of itself."""
    entry, first_frame, number = plain_entry(entry_of(track.moov)), -lead, 0
    with track.path.open("rb") as encode, path.open("wb") as shot:
        shot.write(head_bytes(track.moov, entry, track.delay_frames * track.frame_ticks))
        for gop in track.gops:
            if first_frame >= 0:
                number += 1
                frames = read_gop(encode, gop)
                frames[0] = cut_notes(frames[0], entry)
                shot.write(
                    fragment_bytes(
                        *(frames, gop.shown),
                        number=number,
                        first_frame=first_frame,
                        frame_ticks=track.frame_ticks,
                        delay_frames=track.delay_frames,
                    )
                )
            first_frame += gop.num_frames


def _check(path: Path, info: MediaInfo, encoder: VideoEncoder, part: Part) -> None:
    """Refuse what is not the shot, or has other GOPs.

    Raises:
        MediaError: which of the two.
    """
    where, gop, track = _named(info, part), gop_frames(info.fps, encoder.gop_s), read_track(path, info.fps)
    if track.num_frames != part.num_frames:
        raise MediaError(f"{where} was encoded to {track.num_frames}; please report this source", path=str(info.path))
    data = path.read_bytes()
    head = data.index(b"moof") - 4
    idr = read_fragment(data[head:], data[:head], name=where).idr
    starts = list(itertools.accumulate((found.num_frames for found in track.gops[:-1]), initial=0))
    wanted = range(0, part.num_frames, gop)
    if starts != list(wanted) or any(start * track.frame_ticks not in idr for start in wanted):
        raise MediaError(
            f"{where} has no IDR picture every {gop} frames, or others beside; let the encoder {encoder.name!r} put "
            "them there ({gop} in a command), and none at scene cuts",
            path=str(info.path),
        )
