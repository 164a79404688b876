"""What ffmpeg is told of a video encoder: rate, key frames, preset, samples, and what a grid says beside.

A mode and a number say what is asked: `crf`, `cq` or `qp` a quality; `capped-crf` one with a largest rate; `vbr` and
`vbr-2pass` a mean rate, kbps. A probe's key frames stand at most a GOP apart, a delivery's exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from abr_alloc.codecs import VIDEO_CODECS
from abr_alloc.encoders import VideoEncoder
from abr_alloc.media.coding import PEAK_RATIO, VBV_RATIO, gop_frames
from abr_alloc.media.colour import HdrMetadata
from abr_alloc.media.encoder_options import read_encoder_options
from abr_alloc.media.ffmpeg import FFmpeg
from abr_alloc.media.hardware import hardware_arguments
from abr_alloc.media.mastering import svtav1_words, x265_words
from abr_alloc.software_encoders import SoftwareEncoder, Words

__all__ = ["Ask", "VideoArguments", "delivery_arguments", "num_passes", "probe_arguments", "shot_arguments"]

# Encoders that write static metadata by parameters of their own; for others ffmpeg takes it from the frames.
_STATIC_METADATA = {"libx265": x265_words, "libsvtav1": svtav1_words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an encoder is asked for."""

    mode: str
    """One of `encoders.RATE_MODES`."""
    number: float
    """The quality, in the encoder's own scale, or the mean rate, kbps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoArguments:
    """Words of a command line of ffmpeg."""

    before: tuple[str, ...] = ()
    """Before the first input: the device, where one has to be opened."""
    filters: str = ""
    """What the filter chain ends with, with a comma before it; empty where frames go in as they are."""
    words: tuple[str, ...]
    """Of the output, from `-c:v` on."""


def num_passes(ask: Ask) -> int:
    """How often the source is encoded."""
    return 2 if ask.mode == "vbr-2pass" else 1


def probe_arguments(
    ffmpeg: FFmpeg,
    encoder: VideoEncoder,
    ask: Ask,
    *,
    fps: Fraction,
    samples: str,
    number: int = 0,
    hdr: HdrMetadata | None = None,
) -> VideoArguments:
    """Words of a probe's encode, in one thread.

    Args:
        ffmpeg: the program.
        encoder: with all its settings.
        ask: what it is asked for.
        fps: frames per second.
        samples: ffmpeg's name of the source's samples.
        number: of the pass, from 1; 0 for the only one.
        hdr: what the stream says of its light; None for nothing.

    Raises:
        ToolMissingError: the encoder is not in this ffmpeg.
        GridError: a hardware encoder does not take what it is asked for.
    """
    software = encoder.software
    own = Words() if software is None else software.probe(number)
    return _arguments(
        ffmpeg, encoder, ask, Words(options=("-threads", "1", *own.options), params=own.params), fps, samples, hdr
    )


def delivery_arguments(
    ffmpeg: FFmpeg,
    encoder: VideoEncoder,
    ask: Ask,
    *,
    fps: Fraction,
    samples: str,
    threads: int,
    number: int = 0,
    hdr: HdrMetadata | None = None,
) -> VideoArguments:
    """Words of an encode with closed GOPs of one length; arguments and errors as of `probe_arguments`."""
    software = encoder.software
    own = Words() if software is None else software.delivery(gop_frames(fps, encoder.gop_s), threads, number)
    return _arguments(ffmpeg, encoder, ask, own, fps, samples, hdr)


def shot_arguments(
    ffmpeg: FFmpeg,
    encoder: VideoEncoder,
    ask: Ask,
    *,
    fps: Fraction,
    samples: str,
    threads: int,
    number: int = 0,
    hdr: HdrMetadata | None = None,
) -> VideoArguments:
    """Words of an encode of one shot of a title, to be joined with others; else as `delivery_arguments`."""
    software = encoder.software
    own = Words() if software is None else software.delivery(gop_frames(fps, encoder.gop_s), threads, number)
    if software is not None:
        own = replace(own, params=":".join(filter(None, (own.params, software.shot_params))))
    return _arguments(ffmpeg, encoder, ask, own, fps, samples, hdr)


def _arguments(
    ffmpeg: FFmpeg,
    encoder: VideoEncoder,
    ask: Ask,
    own: Words,
    fps: Fraction,
    samples: str,
    hdr: HdrMetadata | None = None,
) -> VideoArguments:
    software, gop = encoder.software, gop_frames(fps, encoder.gop_s)
    samples = encoder.pixel_format or VIDEO_CODECS[encoder.codec].pixel_format(samples)
    if software is None:
        return _hardware(ffmpeg, encoder, ask, gop, samples)
    words = ["-c:v", ffmpeg.require_encoder(software.name), software.preset_option, encoder.preset]
    words += [*encoder.args, *_rate(software, ask, encoder.max_rate_kbps), "-g", str(gop), "-pix_fmt", samples]
    light = _STATIC_METADATA[software.name](hdr) if software.name in _STATIC_METADATA else ""
    params = ":".join(filter(None, (encoder.params, own.params, light)))
    words += [software.params_option, params] if params else []
    return VideoArguments(words=(*words, *own.options))


def _hardware(ffmpeg: FFmpeg, encoder: VideoEncoder, ask: Ask, gop: int, samples: str) -> VideoArguments:
    """A device cuts no scenes: its probes have the key frames of a delivery."""
    found = hardware_arguments(
        read_encoder_options(ffmpeg, encoder.encoder),
        mode="capped" if ask.mode == "capped-crf" else ask.mode,
        value=ask.number,
        gop=gop,
        preset=encoder.preset or None,
        pixel_format=samples,
        cap_kbps=encoder.max_rate_kbps,
    )
    return VideoArguments(
        before=found.global_args,
        filters=f",{found.filter_suffix}" if found.filter_suffix else "",
        words=(*found.encoder_args, *encoder.args),
    )


def _rate(software: SoftwareEncoder, ask: Ask, max_rate_kbps: float | None) -> list[str]:
    if ask.mode in ("vbr", "vbr-2pass"):
        words = ["-b:v", f"{ask.number:.3f}k"]
        if software.holds_buffer:
            words += ["-maxrate", f"{PEAK_RATIO * ask.number:.3f}k", "-bufsize", f"{VBV_RATIO * ask.number:.3f}k"]
        return words
    if ask.mode != "capped-crf":
        return [f"-{ask.mode}", f"{ask.number:g}", *software.quality]
    assert max_rate_kbps is not None  # settings without are refused
    capped = ["-crf", f"{ask.number:g}", software.caps, f"{max_rate_kbps:.3f}k"]
    if software.holds_buffer:  # of what the cap would be the peak of
        capped += ["-bufsize", f"{VBV_RATIO * max_rate_kbps / PEAK_RATIO:.3f}k"]
    return capped
