"""Make video renditions: real encodes, one thread each. Audio is `audio_encoding`'s.

One thread makes an encode reproducible and costs nothing overall, because encodes run side by side. Every file is
written under a temporary name beside its own and renamed when it is whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.disk import scratch_folder
from abr_alloc.encoders import VideoEncoder
from abr_alloc.media.audio_encoding import check_audio_encoders
from abr_alloc.media.command_encoder import Frames, encode_by_command, require_command
from abr_alloc.media.encoder_arguments import Ask, num_passes, probe_arguments
from abr_alloc.media.ffmpeg import ONE_THREAD, FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.targets import Target
from abr_alloc.writing import written_whole

__all__ = [
    "check_encoders",
    "encode_together",
    "encode_video",
    "goes_together",
    "probe_ask",
]

_PICTURE_ALONE = ("-an", "-sn", "-dn", "-map_metadata", "-1")


def check_encoders(ffmpeg: FFmpeg, video: Sequence[VideoTarget], audio: Sequence[AudioTarget]) -> None:
    """Fail before any work when an encoder is missing.

    Raises:
        ToolMissingError: names the encoder and how to get it.
        GridError: an encoder does not take what the grid gives it.
    """
    for encoder in {target.encoder for target in video if target.encoder is not None}:
        if encoder.command:
            require_command(encoder)
        else:
            ffmpeg.require_encoder(encoder.encoder)
    check_audio_encoders(ffmpeg, audio)


def encode_video(ffmpeg: FFmpeg, info: MediaInfo, target: VideoTarget, path: Path, part: Part | None = None) -> None:
    """Encode a part of a source's video, normalised and scaled to the target, to an MP4 file; all of it without `part`.

    Raises:
        ToolFailedError: the encoder failed, or a command did not do what it should.
        ToolMissingError: the encoder is not in this ffmpeg, or the command's program is not there.
    """
    encoder = target.encoder
    assert encoder is not None  # what was there before is not encoded
    ask = probe_ask(encoder, Target(target.target))
    chain = part.chain(info, with_surroundings=True) if part else video_chain(info)
    chain += f",scale={target.width_px}:{target.height_px}:flags=bicubic"
    source = [*ONE_THREAD, *source_input(info, seek_s=part.seek_s if part else None)]
    source += ["-map", f"0:{info.video_index}", *_PICTURE_ALONE, "-filter_threads", "1"]
    if encoder.command:
        frames = Frames(
            source=tuple(source),
            chain=chain,
            samples=encoder.pixel_format or VIDEO_CODECS[encoder.codec].pixel_format(info.pixel_format),
            fps=info.fps,
            width_px=target.width_px,
            height_px=target.height_px,
            num_frames=part.num_encoded if part else round(info.duration_s * info.fps),
        )
        with written_whole(path) as partial:
            encode_by_command(ffmpeg, encoder, ask, frames, partial, threads=1)
        return
    passes = (1, 2) if num_passes(ask) == 2 else (0,)
    with written_whole(path) as partial, contextlib.ExitStack() as stack:
        cwd = stack.enter_context(scratch_folder()) if len(passes) > 1 else None
        for number in passes:
            asked = probe_arguments(
                ffmpeg, encoder, ask, fps=info.fps, samples=info.pixel_format, hdr=info.made_hdr, number=number
            )
            output: list[str | Path] = ["-f", "null", "-"] if number == 1 else ["-f", "mp4", partial.absolute()]
            words = [*source, "-vf", f"{chain}{asked.filters}", "-fps_mode", "passthrough", *asked.words]
            words += part.encoder_words if part else []
            ffmpeg.run([*asked.before, *words, *output], cwd=cwd)


def goes_together(target: VideoTarget) -> bool:
    """Whether a target can be encoded beside others in one run: in one pass, and by an encoder of ffmpeg's own."""
    encoder = target.encoder
    assert encoder is not None
    if encoder.command or encoder.software is None:
        return False
    return num_passes(probe_ask(encoder, Target(target.target))) == 1


def encode_together(
    ffmpeg: FFmpeg, info: MediaInfo, targets: Sequence[VideoTarget], paths: Sequence[Path], part: Part | None = None
) -> None:
    """Encode several targets (`goes_together`) as `encode_video` does each, to the same bytes, in one run that decodes
    and filters the source once for all of them, and scales it once per size.

    Raises:
        ToolFailedError: an encoder failed, which of them nobody knows; nothing is left of any.
        ToolMissingError: an encoder is not in this ffmpeg.
    """
    scaled: dict[tuple[str, str], list[int]] = {}  # what frames are scaled and converted to, and who takes them
    words: list[Sequence[str]] = []
    for i, target in enumerate(targets):
        encoder = target.encoder
        assert encoder is not None
        ask = probe_ask(encoder, Target(target.target))
        asked = probe_arguments(ffmpeg, encoder, ask, fps=info.fps, samples=info.pixel_format, hdr=info.made_hdr)
        words.append([*asked.words, *(part.encoder_words if part else [])])
        # Samples are converted where frames are scaled, in one step: renditions of other samples are scaled apart.
        samples = encoder.pixel_format or VIDEO_CODECS[encoder.codec].pixel_format(info.pixel_format)
        scaled.setdefault((f"{target.width_px}:{target.height_px}", samples), []).append(i)
    chain = part.chain(info, with_surroundings=True) if part else video_chain(info)
    graph = [f"[0:{info.video_index}]{chain},split={len(scaled)}" + "".join(f"[size{k}]" for k in range(len(scaled)))]
    for k, ((size, _), takers) in enumerate(scaled.items()):
        copies = "".join(f"[out{i}]" for i in takers)
        graph.append(f"[size{k}]scale={size}:flags=bicubic,split={len(takers)}{copies}")
    run: list[str | Path] = [*ONE_THREAD, *source_input(info, seek_s=part.seek_s if part else None)]
    run += ["-filter_complex_threads", "1", "-filter_complex", ";".join(graph)]
    with contextlib.ExitStack() as stack:
        for i, path in enumerate(paths):
            partial = stack.enter_context(written_whole(path))
            run += ["-map", f"[out{i}]", *_PICTURE_ALONE, "-fps_mode", "passthrough", *words[i]]
            run += ["-f", "mp4", partial.absolute()]
        ffmpeg.run(run)


def probe_ask(encoder: VideoEncoder, target: Target) -> Ask:
    """What an encoder is asked for by a target; a codec's usual one takes rates beside its qualities.

    Raises:
        UnitError: the target holds no number.
    """
    if target.is_rate:
        return Ask(mode=encoder.rate_mode if encoder.kind == "b" else "vbr", number=target.kbps)
    mode = encoder.rate_mode if encoder.kind == target.kind else target.kind
    return Ask(mode=mode, number=target.number)
