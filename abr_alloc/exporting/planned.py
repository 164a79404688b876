"""What a ladder plans: the folder of every rendition and the rates that its encodes will have.

Encoding and every template name a rendition's folder by `rendition_names`, so that what one writes the other finds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from abr_alloc import defaults
from abr_alloc.allocation.rung import Ladder, Rung
from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.documents import shown
from abr_alloc.encoders import AudioEncoder, VideoEncoder, default_encoder
from abr_alloc.errors import ExportError, LadderFormatError, UnitError
from abr_alloc.exporting.codec_strings import video_codec_string
from abr_alloc.exporting.planned_shots import SHOTS_COMMENT, planned_level, shot_codecs, shot_peak_kbps, shot_timeline
from abr_alloc.exporting.presentation import SEGMENT_S, AudioStream, Variant, VideoStream
from abr_alloc.formats.ladder_file import read_provenance, read_title_facts
from abr_alloc.media.coding import PEAK_RATIO, SAMPLE_RATE_HZ, gop_frames, segment_duration_s
from abr_alloc.targets import Target

__all__ = [
    "PLANNED_COMMENT",
    "LadderPlan",
    "distinct_renditions",
    "load_plan",
    "nominal_kbps",
    "planned_variants",
    "printable",
    "rendition_names",
    "require_codecs",
]

PLANNED_COMMENT = (
    "Written by abr-alloc before there was an encode: rates and codec levels are planned,\n"
    f"not measured. Video may peak at {PEAK_RATIO:g} times its rate."
)

MAX_CHANNELS = 8
"""Most channels of an audio rendition."""

_LAYOUTS = {1: "-mono", 2: ""}


def distinct_renditions(rungs: Iterable[Rung]) -> tuple[list[VideoRendition], list[AudioRendition]]:
    """The video and the audio renditions of a ladder, each once, in the order of its rungs; surround after stereo."""
    rungs = list(rungs)
    surround = [r.surround.audio for r in rungs if r.surround is not None]
    return list(dict.fromkeys(r.video for r in rungs)), list(dict.fromkeys([*(r.audio for r in rungs), *surround]))


def rendition_names(rungs: Sequence[Rung]) -> dict[VideoRendition | AudioRendition, str]:
    """The folder of every rendition of a ladder, below the master playlist.

    Video: `video/640x360-900k`, by its rate, with the codec before the size where it is not H.264, and PQ or HLG.
    Audio: `audio/aac-96k`, by the rate that its encoder is asked for, `audio/aac-64k-mono`, `audio/eac3-384k-6ch`;
    `audio/flac`, which is asked for none; `audio/aac-mine-96k` of an encoder that a grid names. Renditions that would
    share a name are numbered by their place in the ladder: `audio/aac-96k-2`.

    Raises:
        LadderFormatError: a codec or a target is none that a ladder can hold.
    """
    names: dict[VideoRendition | AudioRendition, str] = {}
    videos, audios = distinct_renditions(rungs)
    renditions: list[VideoRendition | AudioRendition] = [*videos, *audios]
    for rendition in renditions:
        stem = name = _video_name(rendition) if isinstance(rendition, VideoRendition) else _audio_name(rendition)
        number = 1
        while name in names.values():
            number += 1
            name = f"{stem}-{number}"
        names[rendition] = name
    return names


def _video_name(video: VideoRendition) -> str:
    _check_codec(video.codec, VIDEO_CODECS, "video")
    nominal_kbps(video)  # a target that cannot be read is refused, though the name tells the measured rate
    codec = "" if video.codec == "h264" else f"{video.codec}-"
    codec += "" if video.dynamic_range == "SDR" else f"{video.dynamic_range.lower()}-"
    return f"video/{codec}{int(video.width_px)}x{int(video.height_px)}-{max(1, round(video.bitrate_kbps))}k"


def _audio_name(audio: AudioRendition) -> str:
    _check_codec(audio.codec, AUDIO_CODECS, "audio")
    if not isinstance(audio.channels, int) or not 1 <= audio.channels <= MAX_CHANNELS:
        raise LadderFormatError(
            f"the ladder has audio of {audio.channels!r} channels; it can have 1 to {MAX_CHANNELS}; design it again"
        )
    layout = _LAYOUTS.get(audio.channels, f"-{audio.channels}ch")
    rate = "" if AUDIO_CODECS[audio.codec].is_lossless else f"-{nominal_kbps(audio):.10g}k"
    encoder = Target(audio.target).encoder.replace("_", "-")
    stem = encoder if encoder.startswith(audio.codec) else "-".join(filter(None, (audio.codec, encoder)))
    return f"audio/{stem}{rate}{layout}"


def _check_codec(codec: str, known: Collection[str], kind: str) -> None:
    # The codec becomes part of a path and of scripts: nothing from a file gets there unknown.
    if codec not in known:
        raise LadderFormatError(
            f"the ladder has {kind} in {codec!r}, which is none of {', '.join(known)}; design it again"
        )


def nominal_kbps(rendition: VideoRendition | AudioRendition) -> float:
    """The rate that an encoder is asked for, kbps; the measured one, rounded, where the target is no rate.

    Raises:
        LadderFormatError: the target is a rate that cannot be read.
    """
    target = Target(rendition.target)
    if not target.is_rate:
        return max(1.0, float(round(rendition.bitrate_kbps)))
    try:
        return target.kbps
    except UnitError as error:
        raise LadderFormatError(
            f"the ladder's target {target.text!r} cannot be read ({error}); design it again"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPlan:
    """The ladder of one title and what exporting it needs to know of its source."""

    title: str
    """Title, printable."""
    rungs: tuple[Rung, ...]
    """By total rate, rising."""
    fps: Fraction
    """Frames per second."""
    duration_s: float | None
    """Length of the title, seconds; None where it is not known."""
    overhead: float
    """Container overhead, as a share of the streams' rate."""
    encoders: Mapping[str, VideoEncoder | AudioEncoder] = field(default_factory=dict)
    """Encoders that the renditions were probed with, by the names of their targets, as far as the file says."""
    tone_map: str = ""
    """How the title, which is HDR, was made SDR; empty where it was not."""

    def encoder_of(self, video: VideoRendition) -> VideoEncoder:
        """The encoder of a rendition: as the file says, else its codec's usual one.

        Raises:
            LadderFormatError: the file does not hold the settings of an encoder that a target names, or names a codec
                that nothing here encodes.
        """
        name = Target(video.target).encoder
        found = self.encoders.get(name or video.codec)
        if isinstance(found, VideoEncoder) and found.codec == video.codec:
            return found
        if name:
            raise LadderFormatError(
                f"the ladder's target {video.target!r} is of the encoder {name!r}, whose settings its file does not "
                "hold; design it again"
            )
        if video.codec not in VIDEO_CODECS:
            raise LadderFormatError(
                f"the ladder's codec {shown(video.codec)} is not encoded here; use {', '.join(VIDEO_CODECS)}"
            )
        return default_encoder(video.codec)

    @property
    def per_shot(self) -> bool:
        """Whether its rungs give every scene its own parameters."""
        return any(rung.video.per_shot for rung in self.rungs)

    @property
    def comment(self) -> str:
        """What is to be known of what is written."""
        return SHOTS_COMMENT if self.per_shot else PLANNED_COMMENT

    @property
    def gop_s(self) -> float:
        """Distance of key frames, seconds."""
        return self.encoder_of(self.rungs[0].video).gop_s

    @property
    def gop_frames(self) -> int:
        """Frames between key frames."""
        return gop_frames(self.fps, self.gop_s)

    @property
    def segment_s(self) -> Fraction:
        """Length of a segment, seconds: what `SEGMENT_S` comes to in whole groups of pictures."""
        return segment_duration_s(self.fps, SEGMENT_S, self.gop_s)


def load_plan(
    path: Path, ladder: Ladder, *, fps: Fraction | None = None, duration_s: float | None = None
) -> LadderPlan:
    """A ladder of a file with what the file says of its source.

    Args:
        path: the ladder file.
        ladder: one of its ladders; of a shared one the largest frame rate of its titles counts.
        fps: frames per second, over what the file says.
        duration_s: length of the title, seconds, over what the file says.

    Raises:
        ExportError: nobody says the frame rate.
        LadderFormatError: the file breaks the format.
    """
    facts = read_title_facts(path)
    titles = [at.title for at in ladder.rungs[0].titles] or [ladder.title]
    known = [facts[title] for title in titles if title in facts]
    if fps is None:
        if not known:
            raise ExportError(f"{path} does not say the frame rate of {ladder.title!r}; give it with `fps`")
        fps = max(found.fps for found in known)
    if duration_s is None and len(titles) == len(known) == 1:
        duration_s = known[0].duration_s
    if duration_s is not None and not 0.0 < duration_s < math.inf:
        raise LadderFormatError(
            f"{path} is damaged (scenes_s of {ladder.title!r} end at {duration_s}); design it again"
        )
    about = read_provenance(path)
    overhead = about.get("overhead")
    if overhead is None:
        overhead = defaults.OVERHEAD
    if isinstance(overhead, bool) or not isinstance(overhead, (int, float)) or not 0.0 <= overhead <= 1.0:
        raise LadderFormatError(f"{path} is damaged (options.overhead is {overhead!r}); design it again")
    return LadderPlan(
        title=printable(ladder.title),
        rungs=ladder.rungs,
        fps=fps,
        duration_s=duration_s,
        overhead=float(overhead),
        encoders=about.get("encoders", {}),
        tone_map=about.get("tone_maps", {}).get(ladder.title, ""),
    )


def printable(text: str) -> str:
    """Text on one line that cannot end a comment: what does not print becomes a space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def require_codecs(rungs: Sequence[Rung], what: str, video: Sequence[str], audio: Sequence[str]) -> None:
    """Refuse a ladder with codecs that a format has no way to say, or with surround, which needs two sounds per rung.

    Raises:
        ExportError: names the codec and what the format takes.
    """
    if any(rung.surround is not None for rung in rungs):
        raise ExportError(
            f"{what} has one sound per rung; design the ladder without `surround_share`, or encode it here"
        )
    videos, audios = distinct_renditions(rungs)
    for kind, renditions, known in (("video", videos, video), ("audio", audios, audio)):
        strange = sorted({rendition.codec for rendition in renditions} - {*known})  # type: ignore[attr-defined]
        if strange:
            raise ExportError(
                f"{what} takes {kind} in {', '.join(known)}, not {strange[0]}; "
                f"design the ladder with `{kind}_codecs` {known[0]}"
            )


def planned_variants(plan: LadderPlan) -> list[Variant]:
    """The pairs of a ladder as they will be delivered, with planned rates.

    Rates hold the container's overhead. A video stream peaks at `PEAK_RATIO` times its rate, or as its ladder predicts
    where its scenes have parameters of their own; audio at its own.

    Raises:
        LadderFormatError: a codec or a target is none that a ladder can hold.
        ExportError: no level of a codec holds a rendition.
    """
    names = rendition_names(plan.rungs)
    bits = 1000.0 * (1.0 + plan.overhead)
    videos, audios = distinct_renditions(plan.rungs)
    timelines = {v: shot_timeline(v, plan.fps, plan.gop_frames) for v in videos if v.per_shot}
    shown = {
        v: VideoStream(
            name=names[v],
            codecs=shot_codecs(video_codec_string(v.codec, planned_level(v, plan.fps), v.dynamic_range), videos),
            width_px=int(v.width_px),
            height_px=int(v.height_px),
            fps=plan.fps,
            peak_bits_per_s=shot_peak_kbps(v, plan.rungs) * bits,
            average_bits_per_s=v.bitrate_kbps * bits,
            dynamic_range=v.dynamic_range,
            timeline=timelines.get(v),
        )
        for v in videos
    }
    played = {
        a: AudioStream(
            name=names[a],
            codecs=AUDIO_CODECS[a.codec].codecs,
            channels=a.channels,
            sample_rate_hz=SAMPLE_RATE_HZ,
            language="und",
            label=defaults.AUDIO_LABEL,
            peak_bits_per_s=a.bitrate_kbps * bits,
            average_bits_per_s=a.bitrate_kbps * bits,
            timeline=next(iter(timelines.values()), None),
        )
        for a in audios
    }
    sounds = [[(r.audio, r.avq_mos), *([(s.audio, s.avq_mos)] if (s := r.surround) else [])] for r in plan.rungs]
    return [
        Variant(video=shown[r.video], audio=played[audio], avq_mos=avq_mos)
        for r, ways in zip(plan.rungs, sounds, strict=True)
        for audio, avq_mos in ways
    ]
