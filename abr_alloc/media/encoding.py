"""Make renditions: real encodes by ffmpeg (and `fdkaac` for HE-AAC), one thread each.

One thread makes an encode reproducible and costs nothing overall, because encodes run side by side. Every file is
written under a temporary name beside its own and renamed when it is whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from abr_alloc.codecs import AUDIO_CODECS
from abr_alloc.disk import scratch_folder
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import ToolMissingError
from abr_alloc.media.coding import SAMPLE_RATE_HZ
from abr_alloc.media.encoder_arguments import Ask, num_passes, probe_arguments
from abr_alloc.media.ffmpeg import INPUT_GUARD, ONE_THREAD, FFmpeg
from abr_alloc.media.grid import AudioTarget, VideoTarget
from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.programs import find_program, run_program
from abr_alloc.partial import partial_name
from abr_alloc.software_encoders import SOFTWARE_ENCODERS
from abr_alloc.targets import Target
from abr_alloc.writing import written_whole

__all__ = [
    "Encoder",
    "check_encoders",
    "encode_audio",
    "encode_video",
    "list_encoders",
    "probe_ask",
    "read_pcm_bytes",
]

_RAW: tuple[str | Path, ...] = ("-f", "f32le", "-ar", str(SAMPLE_RATE_HZ), "-ac", "2")
_SEEK_MARGIN_S = 0.5
# Mono is copied to both sides at full level, where ffmpeg's own up-mix would lower it by 3 dB.
_STEREO = {1: "pan=stereo|c0=c0|c1=c0", 2: "aformat=channel_layouts=stereo"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """An encoder that renditions can be made with."""

    name: str
    """Its name in ffmpeg, or of a program."""
    codecs: tuple[str, ...]
    """Codecs that it serves; any one encoder of a codec will do."""
    present: bool
    """Whether it is there."""


def list_encoders(ffmpeg: FFmpeg | None) -> list[Encoder]:
    """Every encoder that may be used, video first; without an ffmpeg only programs beside it can be there."""
    inside = {encoder.name: (encoder.codec,) for encoder in SOFTWARE_ENCODERS.values()}
    inside |= {codec.encoder: (codec.name,) for codec in AUDIO_CODECS.values() if codec.encoder}
    of_fdk = tuple(codec.name for codec in AUDIO_CODECS.values() if codec.fdk_profile)
    known = frozenset() if ffmpeg is None else ffmpeg.encoders
    found = [
        Encoder(name=name, codecs=codecs, present=name in known)
        for name, codecs in (inside | {"libfdk_aac": of_fdk}).items()
    ]
    return [*found, Encoder(name="fdkaac", codecs=of_fdk, present=find_program("fdkaac") is not None)]


def check_encoders(ffmpeg: FFmpeg, video: Sequence[VideoTarget], audio: Sequence[AudioTarget]) -> None:
    """Fail before any work when an encoder is missing.

    Raises:
        ToolMissingError: names the encoder and how to get it.
    """
    for encoder in {target.encoder for target in video if target.encoder is not None}:
        if encoder.encoder:
            ffmpeg.require_encoder(encoder.encoder)
    for codec in {target.codec for target in audio}:
        if AUDIO_CODECS[codec].encoder:
            ffmpeg.require_encoder(AUDIO_CODECS[codec].encoder)
        elif "libfdk_aac" not in ffmpeg.encoders and find_program("fdkaac") is None:
            raise ToolMissingError(
                f"no encoder for {codec}: install the fdkaac program (Debian: apt-get install fdkaac, from contrib), "
                "or give an ffmpeg with libfdk_aac by `ffmpeg`; or leave it out with `audio_codecs` aac",
                tool="fdkaac",
            )


def encode_video(ffmpeg: FFmpeg, info: MediaInfo, target: VideoTarget, path: Path, part: Part | None = None) -> None:
    """Encode a part of a source's video, normalised and scaled to the target, to an MP4 file; all of it without `part`.

    Raises:
        ToolFailedError: the encoder failed, or a command did not do what it should.
        ToolMissingError: the encoder is not in this ffmpeg, or the command's program is not there.
    """
    encoder = target.encoder
    assert encoder is not None  # what was there before is not encoded
    ask = probe_ask(encoder, Target(target.target))
    chain = part.chain(info, with_tail=True) if part else video_chain(info)
    chain += f",scale={target.width_px}:{target.height_px}:flags=bicubic"
    source = [*ONE_THREAD, *source_input(info, seek_s=part.seek_s if part else None)]
    source += ["-map", f"0:{info.video_index}", "-an", "-sn", "-dn", "-map_metadata", "-1", "-filter_threads", "1"]
    passes = (1, 2) if num_passes(ask) == 2 else (0,)
    with written_whole(path) as partial, contextlib.ExitStack() as stack:
        cwd = stack.enter_context(scratch_folder()) if len(passes) > 1 else None
        for number in passes:
            asked = probe_arguments(ffmpeg, encoder, ask, fps=info.fps, samples=info.pixel_format, number=number)
            output: list[str | Path] = ["-f", "null", "-"] if number == 1 else ["-f", "mp4", partial.absolute()]
            words = [*source, "-vf", f"{chain}{asked.filters}", "-fps_mode", "passthrough", *asked.words]
            ffmpeg.run([*asked.before, *words, *output], cwd=cwd)


def probe_ask(encoder: VideoEncoder, target: Target) -> Ask:
    """What an encoder is asked for by a target; a codec's usual one takes rates beside its qualities.

    Raises:
        UnitError: the target holds no number.
    """
    if target.is_rate:
        return Ask(mode="vbr-2pass" if encoder.rate_mode == "vbr-2pass" else "vbr", number=target.kbps)
    return Ask(mode="capped-crf" if encoder.rate_mode == "capped-crf" else target.kind, number=target.number)


def encode_audio(ffmpeg: FFmpeg, pcm: Path, target: AudioTarget, path: Path, *, whole_lead_in: bool = False) -> None:
    """Encode raw PCM, as `sound.decode_audio` wrote it, to an MP4 file.

    Args:
        ffmpeg: the program.
        pcm: what to encode.
        target: codec, channels and rate.
        path: what to write.
        whole_lead_in: count the 962 samples that a decoder of HE-AAC adds (SBR) to its lead-in, as delivery needs it;
            fdkaac leaves them out by itself, as iTunes does, and sound comes 20 ms late.

    Raises:
        ToolFailedError: the encoder failed.
        ToolMissingError: there is no encoder for the codec.
    """
    profile = AUDIO_CODECS[target.codec].fdk_profile
    bits_per_s = str(round(Target(target.target).kbps * 1000))
    source = [*INPUT_GUARD, *_RAW, "-i", pcm]
    # The PCM's two channels are equal where the source is mono; ffmpeg's own down-mix of them would be 3 dB too loud.
    channels = ["-af", "pan=mono|c0=c0"] if target.channels == 1 else ["-ac", "2"]
    with written_whole(path) as partial, _removed(partial_name(path.with_suffix(".wav"))) as wave:
        if profile and "libfdk_aac" not in ffmpeg.encoders:
            fdkaac = find_program("fdkaac")
            if fdkaac is None:
                raise ToolMissingError("the fdkaac program is not installed", tool="fdkaac")
            ffmpeg.run([*source, *channels, "-c:a", "pcm_s16le", "-f", "wav", wave])  # libfdk_aac takes 16 bits
            lead_in = ["--include-sbr-delay"] if whole_lead_in else []
            run_program(
                [fdkaac, "-S", "-p", profile[1], "-b", bits_per_s, *lead_in, "-o", partial, wave],
                stall_s=ffmpeg.stall_s,
            )
        else:
            if profile:
                codec = ["-c:a", "libfdk_aac", "-profile:a", profile[0]]
            else:
                codec = ["-c:a", ffmpeg.require_encoder(AUDIO_CODECS[target.codec].encoder)]
            ffmpeg.run([*source, *channels, *codec, "-b:a", bits_per_s, "-threads", "1", "-f", "mp4", partial])


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[Path]:
    """A file that is there while it is needed."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def read_pcm_bytes(ffmpeg: FFmpeg, path: Path, channels: int, start_s: float, end_s: float) -> bytes:
    """Decode the span [start_s, end_s) of an encoded audio file to raw 32-bit float 48 kHz stereo.

    Decoding starts half a second early, because a transform codec's first frame after a seek is incomplete.

    Raises:
        ToolFailedError: the file cannot be decoded.
    """
    seek_s = max(0.0, start_s - _SEEK_MARGIN_S)
    skip = round((start_s - seek_s) * SAMPLE_RATE_HZ)
    length = round(end_s * SAMPLE_RATE_HZ) - round(start_s * SAMPLE_RATE_HZ)
    # ffmpeg drops whole packets before a seek point, not samples: count from the stream's own clock instead.
    first = f"atrim=start_pts={round(start_s * SAMPLE_RATE_HZ)}" if seek_s else f"atrim=start_sample={skip}"
    chain = (
        f"{_STEREO[min(channels, 2)]},aresample={SAMPLE_RATE_HZ},{first},asetpts=N/SR/TB,"
        f"apad=whole_len={length},atrim=end_sample={length}"
    )
    seek = ["-copyts", "-ss", f"{seek_s:.6f}"] if seek_s else []
    return ffmpeg.run([*INPUT_GUARD, *seek, "-i", path, "-af", chain, *_RAW, "-"])
