"""A POSIX shell script that encodes a ladder with one run of ffmpeg: fragmented MP4 for HLS.

The script writes its own master playlist: ffmpeg's leaves the audio out of BANDWIDTH (seen with 9.0.2) and knows no
SCORE. Nothing of a ladder file gets into a command but numbers and words that were checked; the title stands in a
comment, on one line. The source and the folder are only ever used in quotes, and the folder is entered, so that no
name of theirs is read as a pattern, an option or a protocol.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from fractions import Fraction

from abr_alloc.allocation.surface import AudioRendition, VideoRendition
from abr_alloc.codecs import AUDIO_CODECS, VIDEO_CODECS
from abr_alloc.encoders import VideoEncoder
from abr_alloc.errors import ExportError, LadderFormatError, UnitError
from abr_alloc.exporting.hls import master_playlist
from abr_alloc.exporting.planned import (
    LadderPlan,
    distinct_renditions,
    nominal_kbps,
    planned_variants,
    rendition_names,
    require_codecs,
)
from abr_alloc.exporting.planned_shots import planned_level
from abr_alloc.exporting.presentation import PLAYLIST_NAME
from abr_alloc.media.coding import PEAK_RATIO, SAMPLE_RATE_HZ, VBV_RATIO
from abr_alloc.software_encoders import SoftwareEncoder
from abr_alloc.targets import Target

__all__ = [
    "AUDIO",
    "CLOSED_GOPS",
    "audio_words",
    "ffmpeg_script",
    "hls_words",
    "master_lines",
    "quoted",
    "script_head",
    "software_of",
]

AUDIO = tuple(codec.name for codec in AUDIO_CODECS.values() if codec.encoder)

_HEAD = """\
#!/bin/sh
# {title}
# Usage: sh encode.sh SOURCE DIR. The variable FFMPEG may name the program.
#
# {planned}
# The film is taken as it is: neither deinterlaced nor cropped. Its first video and first audio track are encoded.
{about}set -eu
if [ "$#" -ne 2 ]; then
    echo "usage: sh $0 SOURCE DIR" >&2
    exit 2
fi
ffmpeg=${{FFMPEG:-ffmpeg}}
case $ffmpeg in /*) ;; */*) ffmpeg=$PWD/$ffmpeg ;; esac
case $1 in /*) source=$1 ;; *) source=$PWD/$1 ;; esac
case $2 in /*) folder=$2 ;; *) folder=$PWD/$2 ;; esac
mkdir -p "$folder"
cd "$folder"
"""


def ffmpeg_script(plan: LadderPlan) -> str:
    """The script as text: `sh encode.sh SOURCE DIR`.

    Raises:
        ExportError: the ladder has a codec that the script does not encode.
        LadderFormatError: a target is neither a rate nor a CRF.
    """
    require_codecs(plan.rungs, "the ffmpeg script", tuple(CLOSED_GOPS), AUDIO)
    names = rendition_names(plan.rungs)
    videos, audios = distinct_renditions(plan.rungs)
    groups: list[list[str]] = [["-nostdin", "-y", "-protocol_whitelist", "file,pipe", "-i", "$source"]]
    groups += [_video(n, video, plan) for n, video in enumerate(videos)]
    groups += [audio_words(n, audio) for n, audio in enumerate(audios)]
    groups += hls_words(plan, names, videos, audios, segment_s=plan.segment_s)
    lines = [" ".join(map(quoted, words)) for words in groups]
    command = " \\\n    ".join(['"$ffmpeg"', *lines, f"%v/{PLAYLIST_NAME}"])
    return f"{script_head(plan)}\n{command}\n{master_lines(plan)}"


def script_head(plan: LadderPlan, *, about: str = "") -> str:
    """What begins a script: its usage, and the program, source and folder as variables; with more lines of comment."""
    return _HEAD.format(title=plan.title, planned=plan.comment.replace("\n", "\n# "), about=about)


def master_lines(plan: LadderPlan) -> str:
    """What writes the master playlist."""
    # The delimiter is quoted, so nothing in the playlist is expanded; no line of it can be the delimiter alone.
    master = master_playlist(planned_variants(plan), comment=plan.comment)
    return f"\ncat > master.m3u8 <<'END_OF_PLAYLIST'\n{master}END_OF_PLAYLIST\n"


def hls_words(
    plan: LadderPlan,
    names: dict[VideoRendition | AudioRendition, str],
    videos: list[VideoRendition],
    audios: list[AudioRendition],
    *,
    segment_s: Fraction,
) -> list[list[str]]:
    """Words of the output, line by line: a media playlist and segments for every stream."""
    return [
        ["-map_metadata", "-1", "-map_chapters", "-1"],
        ["-f", "hls", "-hls_time", _seconds(segment_s), "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"],
        ["-hls_flags", "independent_segments", "-start_number", "1"],
        ["-hls_segment_filename", "%v/%05d.m4s", "-var_stream_map", _stream_map(plan, names, videos, audios)],
    ]


def quoted(word: str) -> str:
    return f'"{word}"' if word == "$source" else shlex.quote(word)


def _seconds(segment_s: Fraction) -> str:
    # Rounded down, or the key frame that should begin a segment would come a moment too early.
    return f"{math.floor(1_000_000 * segment_s) / 1_000_000:.10g}"


def software_of(video: VideoRendition, plan: LadderPlan) -> tuple[VideoEncoder, SoftwareEncoder]:
    """The encoder of a rendition, and what of ffmpeg that is.

    Raises:
        ExportError: it is none that the script has words for.
    """
    encoder = plan.encoder_of(video)
    software = encoder.software
    if software is None or software.name != VIDEO_CODECS[video.codec].encoder:
        made = "a command" if encoder.command else encoder.encoder
        raise ExportError(
            f"the ffmpeg script has no words for the encoder {encoder.name!r} ({made}); encode the ladder with "
            "`abr-alloc encode`"
        )
    return encoder, software


def _video(n: int, video: VideoRendition, plan: LadderPlan) -> list[str]:
    (encoder, software), kbps = software_of(video, plan), video.bitrate_kbps
    level = planned_level(video, plan.fps).name
    words = ["-map", "0:v:0", f"-filter:v:{n}", f"scale={int(video.width_px)}:{int(video.height_px)},setsar=1"]
    words += [f"-r:v:{n}", str(plan.fps), f"-pix_fmt:v:{n}", encoder.pixel_format or "yuv420p"]
    words += [f"-c:v:{n}", software.name, f"-preset:v:{n}", encoder.preset, *_rate(n, video)]
    for option, value in zip(encoder.args[::2], encoder.args[1::2], strict=True):
        words += [f"{option.removesuffix(':v')}:v:{n}", value]
    if software.holds_buffer:
        words += [f"-maxrate:v:{n}", f"{PEAK_RATIO * kbps:.0f}k", f"-bufsize:v:{n}", f"{VBV_RATIO * kbps:.0f}k"]
    gop = plan.gop_frames
    words += [f"-g:v:{n}", str(gop), f"-keyint_min:v:{n}", str(gop)]
    closed = CLOSED_GOPS[video.codec](n, gop, level)
    option = f"{software.params_option}:v:{n}"
    if encoder.params and option in closed:  # ours last: they win
        at = closed.index(option) + 1
        closed[at] = f"{encoder.params}:{closed[at]}"
    elif encoder.params:
        closed += [option, encoder.params]
    return [*words, *closed]


def _x264_gops(n: int, gop: int, level: str) -> list[str]:
    return [f"-sc_threshold:v:{n}", "0", f"-profile:v:{n}", "high", f"-level:v:{n}", level]


def _x265_gops(n: int, gop: int, level: str) -> list[str]:
    fixed = f"scenecut=0:open-gop=0:keyint={gop}:min-keyint={gop}:level-idc={level}:log-level=error"
    return [f"-sc_threshold:v:{n}", "0", f"-tag:v:{n}", "hvc1", f"-x265-params:v:{n}", fixed]


CLOSED_GOPS: Mapping[str, Callable[[int, int, str], list[str]]] = {
    "h264": _x264_gops,
    "hevc": _x265_gops,
    "av1": lambda n, gop, level: [],
}
"""By codec, options of the script's video number n beside `-g`: GOPs of one length, and the level."""


def _rate(n: int, video: VideoRendition) -> list[str]:
    target = Target(video.target)
    if target.is_rate:
        return [f"-b:v:{n}", f"{nominal_kbps(video):.10g}k"]
    try:
        crf = target.crf
    except UnitError:
        crf = math.nan
    if not 0.0 <= crf <= 63.0:
        raise LadderFormatError(
            f"the ladder's video target {target.text!r} is neither b=RATE nor crf=NUMBER; design it again"
        )
    return [f"-crf:v:{n}", f"{crf:g}"]


def audio_words(n: int, audio: AudioRendition, *, source: int = 0) -> list[str]:
    """Words of the script's audio number n, of the first audio track of an input."""
    codec = AUDIO_CODECS[audio.codec]
    words = ["-map", f"{source}:a:0", f"-c:a:{n}", codec.encoder]
    words += [] if codec.is_lossless else [f"-b:a:{n}", f"{nominal_kbps(audio):.10g}k"]
    return [*words, f"-ac:a:{n}", str(audio.channels), f"-ar:a:{n}", str(SAMPLE_RATE_HZ)]


def _stream_map(
    plan: LadderPlan,
    names: dict[VideoRendition | AudioRendition, str],
    videos: list[VideoRendition],
    audios: list[AudioRendition],
) -> str:
    """Every stream in a folder of its own, a video with the audio group of the first rung that plays it."""
    first = {rung.video: rung.audio for rung in reversed(plan.rungs)}
    words = [f"v:{n},agroup:{_group(names[first[video]])},name:{names[video]}" for n, video in enumerate(videos)]
    words += [f"a:{n},agroup:{_group(names[audio])},name:{names[audio]}" for n, audio in enumerate(audios)]
    return " ".join(words)


def _group(name: str) -> str:
    return name.replace("/", "-")
