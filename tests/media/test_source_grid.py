"""How sources are read: containers, codecs, rates, colours and layouts against answers known beforehand.

Every source carries its answers. A frame shows its number as eight cells of black and white, with four flat patches of
known colour below; bursts of a tone run through the channels of the sound at known times. What comes out of the
normalisation is read back from these, by the formulas of the standards and by nothing of the package's.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from abr_alloc.media.normalise import source_input, video_chain
from abr_alloc.media.part import Part
from abr_alloc.media.probe import MediaInfo, probe
from abr_alloc.media.scenes import scan_source
from abr_alloc.media.seek import prove_seek, read_key_times
from abr_alloc.media.sound import decode_audio

# Axes: F frames, H lines, W columns, P parts of the picture (eight cells, then four patches), T samples, C channels.

LENGTH_S = Fraction(6, 5)
LATE_S = Fraction(1, 5)
"""How much later the picture or the sound of a late one begins."""

# Colours. Kr and Kb of Rec. ITU-R BT.601-7 (2.5.1), BT.709-6 (3.2) and BT.2020-2 (table 4).
LUMA_WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "bt2020nc": (0.2627, 0.0593),
}
PRIMARIES = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470bg", "bt2020nc": "bt2020"}
TRANSFERS = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "smpte170m", "bt2020nc": "bt2020-10"}
SAME_CURVE = ("bt709", "smpte170m", "bt2020-10")
"""Names of one transfer function: H.273 table 3, values 1, 6 and 14."""
PATCHES = np.array([(0.5, 0.5, 0.5), (0.8, 0.1, 0.15), (0.1, 0.7, 0.2), (0.15, 0.2, 0.9)])  # R'G'B' of full scale 1
LEVEL_SLACK = 2.0  # how far levels may be off, in steps of 8 bits: codecs are made to lose next to nothing
ALPHA = 128 / 255  # of the patches, where there is alpha at all


def to_codes(rgb, matrix, depth, *, full):
    """Y, Cb and Cr (..., 3) of R'G'B' (..., 3), unrounded: BT.709-6 items 3.2 to 3.5, full range as H.273 (8.3)."""
    kr, kb = LUMA_WEIGHTS[matrix]
    red, green, blue = np.moveaxis(np.asarray(rgb, dtype=float), -1, 0)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    planes = np.stack([luma, (blue - luma) / (2 - 2 * kb), (red - luma) / (2 - 2 * kr)], axis=-1)
    if full:
        return planes * (2**depth - 1) + np.array([0, 2 ** (depth - 1), 2 ** (depth - 1)])
    return (planes * np.array([219, 224, 224]) + np.array([16, 128, 128])) * 2 ** (depth - 8)


# Looks: pixel format -> its family, bits and chroma steps; ":full" behind the name is YCbCr in full range.
FORMATS = {
    "yuv420p": ("yuv", 8, 2, 2),
    "yuv422p": ("yuv", 8, 2, 1),
    "yuv444p": ("yuv", 8, 1, 1),
    "yuv420p10le": ("yuv", 10, 2, 2),
    "yuv422p10le": ("yuv", 10, 2, 1),
    "yuv444p10le": ("yuv", 10, 1, 1),
    "yuv444p12le": ("yuv", 12, 1, 1),
    "yuva420p": ("yuva", 8, 2, 2),
    "yuva444p10le": ("yuva", 10, 1, 1),
    "nv12": ("nv12", 8, 2, 2),
    "uyvy422": ("uyvy", 8, 2, 1),
    "gray": ("gray", 8, 1, 1),
    "gbrp": ("gbr", 8, 1, 1),
    "rgb24": ("RGB", 8, 1, 1),
    "bgr0": ("BGR0", 8, 1, 1),
    "rgba": ("RGBA", 8, 1, 1),
    "bgra": ("BGRA", 8, 1, 1),
    "argb": ("ARGB", 8, 1, 1),
    "pal8": ("pal8", 8, 1, 1),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One combination."""

    container: str
    video: str
    look: str = "yuv420p"
    rate: str = "25"
    matrix: str = ""
    """Of YCbCr; empty where the file is not to tell one."""
    shape: str = "1:1"
    """Shape of a pixel, or how far the picture is turned."""
    scan: str = "progressive"
    late: str = ""
    """What begins later: picture or sound."""
    audio: str = "pcm_s16le"
    layout: str = "stereo"
    rate_hz: int = 48_000
    size: tuple[int, int] = (128, 96)
    """As shown."""
    num_frames: int = 0

    def __str__(self) -> str:
        words = [self.container, self.video, self.look, self.rate.replace("/", "|"), self.matrix, self.shape, self.scan]
        words += [f"{self.size[0]}x{self.size[1]}", self.late and f"late {self.late}"]
        words += [self.audio, self.layout, str(self.rate_hz)]
        return " ".join(word for word in words if word and word not in ("1:1", "progressive", "128x96"))

    @property
    def fps(self) -> Fraction:
        return Fraction(self.rate)

    @property
    def frames(self) -> int:
        return self.num_frames or round(LENGTH_S * self.fps)

    @property
    def picture_late_s(self) -> Fraction:
        """In whole frames."""
        return round(LATE_S * self.fps) / self.fps if self.late == "picture" else Fraction(0)

    @property
    def sound_late_s(self) -> Fraction:
        return LATE_S if self.late == "sound" else Fraction(0)

    @property
    def format(self) -> str:
        return self.look.partition(":")[0]

    @property
    def is_full(self) -> bool:
        return self.look.endswith(":full")

    @property
    def is_rgb(self) -> bool:
        return FORMATS[self.format][0] in ("gbr", "RGB", "BGR0", "RGBA", "BGRA", "ARGB", "pal8")

    @property
    def has_alpha(self) -> bool:
        return "a" in FORMATS[self.format][0].lower().replace("gray", "").replace("pal", "")

    @property
    def is_interlaced(self) -> bool:
        return self.scan != "progressive"

    @property
    def stored_size(self) -> tuple[int, int]:
        width, height = self.size
        if self.shape == "turned 90":
            return height, width
        return (width if ":" not in self.shape else int(width / Fraction(self.shape.replace(":", "/")))), height

    @property
    def told_matrix(self) -> str:
        """The matrix that a reader must take it for."""
        coder = CODERS[self.video]
        hd = self.size[1] >= 720 or self.size[0] >= 1280
        usual = "bt709" if hd else "smpte170m"
        return coder.rgb_matrix or usual if self.is_rgb else self.matrix or coder.matrix or usual


# Pictures.


def part_map(width, height):
    """Which of the P parts every pixel belongs to, (H, W)."""
    columns, lines = np.arange(width), np.arange(height)
    cells, patches = columns * 8 // width, 8 + columns * 4 // width
    return np.where((lines < height // 2)[:, None], cells[None], patches[None])


def part_colours(numbers):
    """R'G'B' of every part of frames of these numbers, (F, P, 3)."""
    bits = (np.asarray(numbers)[:, None] >> np.arange(8)) & 1
    cells = np.repeat(bits[:, :, None], 3, axis=2).astype(float)
    return np.concatenate([cells, np.broadcast_to(PATCHES, (len(numbers), 4, 3))], axis=1)


def draw(source: Source) -> bytes:
    """All frames in the source's pixel format, as it is stored. A field shows the number of its own instant."""
    family, depth, step_x, step_y = FORMATS[source.format]
    numbers = np.arange(source.frames * (2 if source.is_interlaced else 1))
    colours = part_colours(numbers)
    parts = part_map(*source.size)
    if source.shape == "turned 90":
        parts = np.rot90(parts, k=-1)  # a quarter turn to the left, which the file asks for, sets it upright
    elif source.shape == "turned 180":
        parts = np.rot90(parts, k=2)
    else:
        parts = part_map(*source.stored_size)

    def plane(values, x=1, y=1):
        """A plane (F, H, W) of values (F, P)."""
        codes = np.round(values).astype(np.uint8 if depth == 8 else "<u2")
        where = parts[::y, ::x]
        if not source.is_interlaced:
            return codes[:, where]
        first, second = codes[0::2][:, where], codes[1::2][:, where]
        top, bottom = (first, second) if source.scan == "tff" else (second, first)
        return np.where((np.arange(where.shape[0]) % 2 == 0)[:, None], top, bottom)

    alpha = np.where(np.arange(12) >= 8, ALPHA, 1.0) * (2**depth - 1) * np.ones((len(numbers), 1))
    if source.is_rgb:
        channel = dict(zip("RGB", np.moveaxis(colours * (2**depth - 1), 2, 0), strict=True))
        channel |= {"A": alpha, "0": np.zeros_like(alpha)}
        if family == "pal8":
            return _palette_frames(parts, colours)
        if family == "gbr":
            return np.stack([plane(channel[name]) for name in "GBR"], axis=1).tobytes()
        return np.stack([plane(channel[name]) for name in family], axis=-1).tobytes()
    luma, blue, red = np.moveaxis(to_codes(colours, source.told_matrix, depth, full=source.is_full), 2, 0)
    luma, blue, red = plane(luma), plane(blue, step_x, step_y), plane(red, step_x, step_y)
    if family == "gray":
        return luma.tobytes()
    if family == "uyvy":
        return np.stack([blue, luma[:, :, 0::2], red, luma[:, :, 1::2]], axis=-1).tobytes()
    if family == "nv12":
        planes = [luma, np.stack([blue, red], axis=-1)]
    else:
        planes = [luma, blue, red, *([plane(alpha)] if family == "yuva" else [])]
    return np.concatenate([one.reshape(len(luma), -1) for one in planes], axis=1).tobytes()


def _palette_frames(parts, colours):
    """Indices, and behind every frame the palette: 256 colours of blue, green, red and alpha."""
    frames = []
    for frame in colours:
        palette = np.zeros((256, 4), dtype=np.uint8)
        palette[:12, :3] = np.round(frame[:, ::-1] * 255)
        palette[:, 3] = 255
        frames += [parts.astype(np.uint8).tobytes(), palette.tobytes()]
    return b"".join(frames)


# Sounds.

TONE_HZ = 1000
BURST_S = 0.04
BURSTS = tuple((0.1 + 0.11 * k, (0.5, 0.3)[k % 2]) for k in range(8))
"""Start, seconds, and amplitude of every burst; burst k sounds in channel k, and from the first channel on again."""

SQRT_HALF = 0.7071
# Gains to left and right of every channel, in the order of WAVE: BS.775-4, annex 4, table 2, without normalisation.
LAYOUTS = {
    "mono": ((1, 1),),
    "stereo": ((1, 0), (0, 1)),
    "quad": ((1, 0), (0, 1), (SQRT_HALF, 0), (0, SQRT_HALF)),
    "5.1": ((1, 0), (0, 1), (SQRT_HALF, SQRT_HALF), (0, 0), (SQRT_HALF, 0), (0, SQRT_HALF)),
    "5.1(side)": ((1, 0), (0, 1), (SQRT_HALF, SQRT_HALF), (0, 0), (SQRT_HALF, 0), (0, SQRT_HALF)),
    "7.1": (
        *((1, 0), (0, 1), (SQRT_HALF, SQRT_HALF), (0, 0)),
        *((SQRT_HALF, 0), (0, SQRT_HALF), (SQRT_HALF, 0), (0, SQRT_HALF)),
    ),
}


def play(num_channels, rate_hz, length_s, bursts=BURSTS) -> bytes:
    """The bursts as interleaved 32-bit float samples."""
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    samples = np.zeros((len(time_s), num_channels), dtype="<f4")
    for k, (start_s, amplitude) in enumerate(bursts):
        inside = (time_s >= start_s) & (time_s < start_s + BURST_S)
        samples[inside, k % num_channels] = amplitude * np.sin(2 * np.pi * TONE_HZ * (time_s[inside] - start_s))
    return samples.tobytes()


# What can be combined.


@dataclass(frozen=True, kw_only=True)
class Coder:
    """A video codec as it is made here."""

    options: str
    looks: str
    tells: str = ""
    """What its bitstream tells, whatever the container: matrix, aspect, fields."""
    matrix: str = ""
    """The one matrix of YCbCr that it tells, whatever was asked."""
    rgb_matrix: str = ""
    """The matrix that goes with the primaries that it tells for RGB."""


CODERS = {
    "h264": Coder(
        options="libx264 -preset superfast -bf 2 -g 12 -crf 4",
        looks="yuv420p yuv420p:full yuv420p10le yuv422p yuv422p10le yuv444p gray gray:full",
        tells="matrix aspect fields",
    ),
    "h264rgb": Coder(options="libx264rgb -preset superfast -qp 0", looks="rgb24 bgr0", tells="aspect"),
    "hevc": Coder(
        options="libx265 -preset ultrafast -x265-params log-level=error:bframes=2 -g 12 -crf 4",
        looks="yuv420p yuv420p:full yuv420p10le yuv422p yuv422p10le yuv444p yuv444p12le gray gbrp",
        tells="matrix aspect",
    ),
    "mpeg2": Coder(options="mpeg2video -q:v 2 -bf 2 -g 12", looks="yuv420p yuv422p", tells="matrix aspect fields"),
    "mpeg4": Coder(options="mpeg4 -q:v 2 -bf 2 -g 12", looks="yuv420p", tells="aspect fields"),
    "vp8": Coder(
        options="libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 8 -crf 4 -b:v 4M",
        looks="yuv420p yuva420p",
        matrix="bt470bg",
    ),
    "vp9": Coder(
        options="libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 8 -crf 4 -b:v 0",
        looks="yuv420p yuv420p:full yuv420p10le yuv422p yuv444p gbrp yuva420p",
        tells="matrix",
    ),
    "av1": Coder(
        options="libaom-av1 -cpu-used 8 -lag-in-frames 8 -crf 8",
        looks="yuv420p yuv420p10le yuv420p:full yuv444p gray gbrp",
        tells="matrix",
        rgb_matrix="bt709",  # sRGB: AV1 specification, 5.5.2
    ),
    "prores": Coder(options="prores_ks", looks="yuv422p10le yuv444p10le yuva444p10le", tells="matrix aspect fields"),
    "dnxhr": Coder(options="dnxhd", looks="yuv422p yuv422p10le yuv444p10le", matrix="bt709"),
    "ffv1": Coder(
        options="ffv1 -g 4",
        looks="yuv420p yuv420p10le yuv422p10le yuv444p12le gray gray:full bgr0 bgra yuva444p10le",
        tells="aspect fields",
    ),
    "mjpeg": Coder(options="mjpeg -q:v 2", looks="yuv420p:full yuv422p:full yuv444p:full", matrix="bt470bg"),
    "huffyuv": Coder(options="huffyuv", looks="yuv422p rgb24 bgra"),
    "ffvhuff": Coder(options="ffvhuff", looks="yuv420p yuv444p gray gray:full gbrp yuv444p12le"),
    "utvideo": Coder(options="utvideo", looks="yuv420p yuv422p gbrp", matrix="bt470bg"),
    "raw": Coder(options="rawvideo", looks="yuv420p uyvy422 nv12 rgb24 bgr0 argb gray gray:full"),
    "v210": Coder(options="v210", looks="yuv422p10le"),
    "png": Coder(options="png", looks="rgb24 rgba pal8 gray:full"),
    "qtrle": Coder(options="qtrle", looks="rgb24 argb"),
    "theora": Coder(options="libtheora -q:v 10", looks="yuv420p yuv422p yuv444p"),
    "flv1": Coder(options="flv -q:v 2", looks="yuv420p"),
}
PROFILES = {
    ("prores", "yuv422p10le"): "-profile:v hq",
    ("prores", "yuv444p10le"): "-profile:v 4444",
    ("prores", "yuva444p10le"): "-profile:v 4444",
    ("dnxhr", "yuv422p"): "-profile:v dnxhr_hq",
    ("dnxhr", "yuv422p10le"): "-profile:v dnxhr_hqx",
    ("dnxhr", "yuv444p10le"): "-profile:v dnxhr_444",
    ("vp8", "yuva420p"): "-auto-alt-ref 0",
    ("vp9", "yuva420p"): "-auto-alt-ref 0",
}

SOUND_CODERS = {
    "pcm_s16le": "pcm_s16le",
    "pcm_s24le": "pcm_s24le",
    "pcm_f32le": "pcm_f32le",
    "flac": "flac",
    "alac": "alac",
    "aac": "aac -b:a 256k",
    "mp3": "libmp3lame -b:a 192k",
    "mp2": "mp2 -b:a 192k",
    "ac3": "ac3 -b:a 448k",
    "eac3": "eac3 -b:a 448k",
    "opus": "libopus -b:a 256k",
    "vorbis": "libvorbis -q:a 8",
}
PRIMING = {"aac": 1024, "mp3": 1105, "mp2": 481, "ac3": 256}
"""By how many samples these encoders and decoders delay the sound, where the container cannot tell."""
LOSSLESS = ("pcm_s16le", "pcm_s24le", "pcm_f32le", "flac", "alac")
PCM = LOSSLESS[:3]

# Container -> video codecs, audio codecs.
CONTAINERS = {
    "mp4": (
        "h264 hevc mpeg2 mpeg4 vp9 av1 mjpeg png ffv1 h264rgb",
        "pcm_s16le pcm_s24le pcm_f32le aac mp3 ac3 eac3 flac opus alac mp2",
    ),
    "mov": (
        "h264 hevc mpeg4 prores dnxhr mjpeg raw v210 png qtrle h264rgb",
        "pcm_s16le pcm_s24le pcm_f32le aac mp3 ac3 alac",
    ),
    "mkv": (
        "h264 hevc mpeg2 mpeg4 vp8 vp9 av1 prores ffv1 huffyuv ffvhuff raw mjpeg png theora h264rgb",
        "pcm_s16le pcm_s24le pcm_f32le aac mp3 ac3 eac3 flac opus vorbis alac mp2",
    ),
    "webm": ("vp8 vp9 av1", "opus vorbis"),
    "ts": ("h264 hevc mpeg2 mpeg4", "aac mp3 ac3 eac3 opus mp2"),
    "mpg": ("mpeg2 h264", "mp2 ac3 mp3"),
    "avi": (
        "h264 mpeg4 mjpeg huffyuv ffvhuff utvideo raw png ffv1",
        "pcm_s16le pcm_s24le pcm_f32le mp3 ac3 mp2 aac",
    ),
    "flv": ("h264 hevc vp9 flv1", "aac mp3 opus flac"),
    "nut": ("h264 mpeg4 ffv1 raw png ffvhuff mjpeg", "pcm_s16le pcm_f32le flac aac mp3 vorbis ac3"),
    "mxf": ("mpeg2 dnxhr h264 prores", "pcm_s16le pcm_s24le"),
    "ogg": ("theora vp8", "vorbis opus flac"),
}
RATES = (
    *("24000/1001", "24", "25", "30000/1001", "30", "48", "48000/1001", "25000/1001", "50", "60000/1001", "60"),
    *("12", "15"),
)
CHOICES = {
    "look": tuple(dict.fromkeys(look for coder in CODERS.values() for look in coder.looks.split())),
    "rate": RATES,
    "matrix": ("", *LUMA_WEIGHTS),
    "shape": ("1:1", "4:3", "16:15", "turned 90", "turned 180"),
    "scan": ("progressive", "tff", "bff"),
    "late": ("", "picture", "sound"),
    "audio": tuple(SOUND_CODERS),
    "layout": tuple(LAYOUTS),
    "rate_hz": (44_100, 48_000, 32_000, 96_000),
}
FIELDS = tuple(CHOICES)
MXF_RATES = ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")


def can_be(s: Source) -> bool:
    """Whether ffmpeg can make it and the file can tell what it is asked to tell."""
    coder, tags = CODERS[s.video], s.container in ("mp4", "mov", "mkv", "webm")
    family = FORMATS[s.format][0]
    mono_or_stereo = s.layout in ("mono", "stereo")
    rules = [
        s.look in coder.looks.split(),
        s.audio in CONTAINERS[s.container][1].split(),
        # Colour.
        not s.matrix or not (s.is_rgb or family == "gray" or coder.matrix),
        not s.matrix or tags or "matrix" in coder.tells,
        s.look != "gray" or s.container in ("mkv", "mxf") or s.video in ("h264", "hevc", "av1"),
        s.format != "yuva420p" or (s.container in ("mkv", "webm") and not s.shape.startswith("turned")),
        s.video != "raw" or s.container != "mov" or s.format not in ("yuv420p", "nv12", "gray", "bgr0"),
        s.video != "raw" or s.container != "mkv" or not s.is_rgb,
        s.video != "raw" or s.container != "avi" or s.format not in ("argb", "bgr0"),
        # Shape and scan.
        s.shape == "1:1" or s.video != "dnxhr",
        not s.shape.startswith("turned")
        or (s.container in ("mp4", "mov", "mkv") and not s.is_interlaced and not s.late),
        ":" not in s.shape or s.shape == "1:1" or s.container != "flv" or "aspect" in coder.tells,
        not s.is_interlaced
        or "fields" in coder.tells
        or (s.video in ("raw", "v210") and s.container in ("mov", "mkv")),
        # Times.
        s.video != "mpeg2" or s.rate not in ("48000/1001", "25000/1001"),
        s.container != "mxf" or s.rate in MXF_RATES,
        s.container != "flv" or s.rate != "25000/1001" or s.video in ("h264", "hevc"),  # elsewhere it tells 24.975
        not s.late or s.container in ("mp4", "mov", "mkv", "webm", "ts", "mpg", "flv", "nut"),
        # Sound.
        s.rate_hz == 48_000 or (s.audio != "opus" and s.container != "mxf"),
        s.rate_hz != 96_000 or s.audio not in ("mp3", "mp2", "ac3", "eac3"),
        s.audio not in ("mp3", "mp2") or mono_or_stereo,
        s.audio not in ("ac3", "eac3") or s.layout != "7.1",
        s.audio != "opus" or s.layout != "5.1(side)",
        s.audio != "alac" or s.layout not in ("quad", "5.1(side)", "7.1"),
        s.container not in ("mkv", "nut") or s.audio not in PCM or s.layout != "quad",
        s.container != "ts" or s.layout != "7.1",
        s.container != "flv" or s.audio != "mp3" or s.rate_hz != 32_000,
        s.container != "mxf" or mono_or_stereo,
    ]
    return all(rules)


def choose() -> list[Source]:
    """Every pair of container and video codec twice; all else by turns, what was least used with either first."""
    used: Counter[tuple[str, ...]] = Counter()
    sources = []
    for container, video in [(c, v) for _ in range(2) for c, (videos, _) in CONTAINERS.items() for v in videos.split()]:
        size = (256, 128) if video == "dnxhr" else (128, 96)
        audios = CONTAINERS[container][1].split()
        look = CODERS[video].looks.split()[0]
        source = Source(container=container, video=video, look=look, audio=audios[0], size=size)
        for field in FIELDS:

            def use(value, field=field, container=container, video=video):
                return used[container, field, value] + used[video, field, value], used[field, value]

            possible = [value for value in CHOICES[field] if can_be(replace(source, **{field: value}))]
            value = min(possible, key=use)
            source = replace(source, **{field: value})
            used.update([(container, field, value), (video, field, value), (field, value)])
        sources.append(source)
    return sources


GRID = choose()


def large(container, video, look, rate, matrix, size=(1280, 720)):
    return Source(
        container=container, video=video, look=look, rate=rate, matrix=matrix, size=size, num_frames=12, audio="flac"
    )


# Large pictures, short: what is untagged, or RGB, means another matrix.
GRID += [
    large("mkv", "h264", "yuv420p", "25", ""),
    large("mkv", "h264", "yuv420p", "60000/1001", "smpte170m"),
    large("nut", "mjpeg", "yuv420p:full", "24", ""),
    large("mkv", "png", "rgb24", "24000/1001", ""),
    large("avi", "huffyuv", "bgra", "30", ""),
    large("mp4", "h264rgb", "bgr0", "50", ""),
    large("mkv", "ffv1", "yuv422p10le", "25", "bt2020nc"),
    large("nut", "ffv1", "yuv420p", "25", "", size=(1280, 96)),
    large("avi", "raw", "nv12", "30", "", size=(128, 720)),
]
# Clocks that ask for care: times in milliseconds, about half a frame behind the sound's; frames without times.
GRID += [
    Source(container="flv", video="h264", rate="24", audio="aac"),
    Source(container="flv", video="h264", rate="24000/1001", audio="aac"),
    Source(container="mpg", video="h264", rate="30", audio="mp2"),
]

# Making a source, and reading it.


def name_of(s: Source) -> str:
    return "source." + {"ogg": "ogv"}.get(s.container, s.container)


def make(make_media, folder: Path, s: Source, *more: str, bursts=BURSTS, length_s=LENGTH_S) -> Path:
    """The source as a file, with some more options for its encoders."""
    coder, channels = CODERS[s.video], len(LAYOUTS[s.layout])
    picture = folder / f"{str(s).replace(' ', '_')}.raw"
    sound = folder / f"{channels}_{s.rate_hz}_{float(length_s)}.f32"
    picture.write_bytes(draw(s))
    if not sound.exists():
        sound.write_bytes(play(channels, s.rate_hz, length_s, bursts))
    steps = [f"setpts=PTS+{s.picture_late_s * s.fps}"]
    steps += [f"setsar={s.shape.replace(':', '/')}"] if ":" in s.shape else []
    steps += [f"setfield={s.scan}"] if s.is_interlaced else []
    if not s.is_rgb:
        steps.append(f"setparams=range={'pc' if s.is_full else 'tv'}")
    if s.matrix:
        steps[-1] += f":colorspace={s.matrix}:color_primaries={PRIMARIES[s.matrix]}:color_trc={TRANSFERS[s.matrix]}"
    width, height = s.stored_size
    made = make_media(
        name_of(s),
        *("-f", "rawvideo", "-pix_fmt", s.format, "-video_size", f"{width}x{height}", "-framerate", s.rate),
        *("-i", picture, "-f", "f32le", "-ar", str(s.rate_hz), "-ch_layout", s.layout, "-i", sound),
        *("-map", "0:v", "-map", "1:a", "-fps_mode", "passthrough", "-threads", "1", "-vf", ",".join(steps)),
        *("-c:v", *coder.options.split(), *PROFILES.get((s.video, s.look), "").split(), "-pix_fmt", s.format),
        *(("-flags", "+ilme+ildct") if s.is_interlaced and s.video in ("h264", "mpeg2", "mpeg4", "prores") else ()),
        # What these containers cannot tell: times of frames that refer to later ones, and sound before the first frame.
        *(("-bf", "0") if s.container == "avi" or (s.video == "h264" and s.container in ("mxf", "mpg")) else ()),
        *(("-avoid_negative_ts", "disabled") if s.container == "avi" else ()),
        *("-c:a", *SOUND_CODERS[s.audio].split(), "-af", f"asetpts=PTS+{float(s.sound_late_s)}/TB", *more),
    )
    picture.unlink()
    if not s.shape.startswith("turned"):
        return made
    degrees = s.shape.partition(" ")[2]
    return make_media("turned-" + name_of(s), "-display_rotation", degrees, "-i", made, "-map", "0", "-c", "copy")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came out of the normalisation."""

    numbers: list[int]
    """What each frame shows."""
    patches: np.ndarray
    """Y, Cb and Cr of the four patches of every frame, in steps of 8 bits (F, 4, 3)."""
    tags: list[tuple[str, str, str, str]]
    """Range, matrix, primaries and transfer of every frame, as ffmpeg says them."""


TAGS = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")


def see(ffmpeg, info: MediaInfo, chain: str, log: Path, seek_s: float | None = None) -> Seen:
    """Decode a source through the normalisation, and read what its frames show."""
    raw = ffmpeg.run_and_tell(
        [*source_input(info, seek_s=seek_s), "-map", f"0:{info.video_index}", "-vf", f"{chain},showinfo=checksum=0"]
        + ["-fps_mode", "passthrough", "-f", "rawvideo", "-"],
        log,
    )
    kind, step = (np.uint8, 1) if info.pixel_format == "yuv420p" else (np.dtype("<u2"), 4)
    width, height = info.width_px, info.height_px
    chroma = (height // 2) * (width // 2)
    frames = np.frombuffer(raw, kind).reshape(-1, height * width + 2 * chroma)
    luma = frames[:, : height * width].reshape(-1, height, width)
    blue = frames[:, height * width :][:, :chroma].reshape(-1, height // 2, width // 2)
    red = frames[:, height * width + chroma :].reshape(-1, height // 2, width // 2)
    cells = _middles(luma[:, : height // 2], 8).mean(axis=(2, 3))  # (F, 8)
    numbers = ((cells > 126 * step) << np.arange(8)).sum(axis=1)
    patches = np.stack(
        [np.median(_middles(plane[:, plane.shape[1] // 2 :], 4), axis=(2, 3)) / step for plane in (luma, blue, red)],
        axis=-1,
    )
    tags = TAGS.findall(log.read_text())
    return Seen(numbers=numbers.tolist(), patches=patches, tags=tags)


def _middles(plane, columns):
    """The middle of each of some columns, (F, columns, H', W')."""
    num_frames, height, width = plane.shape
    cells = plane.reshape(num_frames, height, columns, width // columns).swapaxes(1, 2)
    y, x = height // 4, width // columns // 4
    return cells[:, :, y:-y, x:-x]


def hear(info: MediaInfo, duration_s: float, path: Path, **options) -> np.ndarray:
    """The sound of a source, (T, 2)."""
    decode_audio(info, duration_s, path, **options)
    samples = np.fromfile(path, dtype="<f4").reshape(-1, 2)
    assert len(samples) == round(duration_s * 48_000)
    return samples


def burst_at(samples, about_s) -> tuple[float, np.ndarray]:
    """Start, seconds, and amplitudes (2,) of the burst near a time: where the tone reaches half of what it will be."""
    first, last = (round((about_s + off) * 48_000) for off in (-0.03, BURST_S + 0.03))
    first = max(first, 0)
    near = samples[first:last]
    carrier = np.exp(-2j * np.pi * TONE_HZ * (first + np.arange(len(near))) / 48_000)[:, None] * near
    sums = np.cumsum(np.concatenate([np.zeros((1, 2)), carrier]), axis=0)
    period = 48_000 // TONE_HZ
    envelope = 2 * np.abs(sums[period:] - sums[:-period]) / period  # of one period, (T', 2)
    loud = envelope.max(axis=1)
    start = int(np.argmax(loud > 0.5 * np.median(np.sort(loud)[-round(0.7 * BURST_S * 48_000) :])))
    begin = start + period // 2
    inside = slice(begin + 480, begin + 480 + 20 * period)
    return (first + begin) / 48_000, 2 * np.abs(carrier[inside].mean(axis=0))


def lead_s(path: Path) -> float:
    """How long after the file's first instant its first frame is shown, seconds."""
    if path.suffix == ".avi":
        return 0.0  # it tells no times
    starts = {}  # a decoder's lead-in, before 0, is not heard
    for kind in ("video", "audio"):
        with av.open(str(path)) as container:
            packets = container.demux(container.streams.get(**{kind: 0})[0])
            frame = next(frame for packet in packets if packet.size for frame in packet.decode())
            starts[kind] = float(frame.pts * frame.time_base)
    return starts["video"] - min(starts["video"], max(starts["audio"], 0.0))


def first_shown(s: Source, path: Path, numbers: list[int]) -> int:
    """Index of the title's frame that is the source's first one; copies of it stand before, and all others follow.

    A picture that is so many frames later than the sound has so many copies, whatever its container rounds; where it is
    between two numbers of them, both are right.
    """
    first = next((n for n, number in enumerate(numbers) if number), 1) - 1
    step = 2 if s.is_interlaced else 1  # of an interlaced frame, the field that comes first
    assert numbers[first:] == [step * n % 256 for n in range(s.frames)]
    lead = lead_s(path) * float(s.fps)
    rounded = 0.05 if s.late == "picture" else 0.0
    # Vorbis is heard from the middle of its first packet on, whose time is that of its beginning.
    assert math.floor(lead + rounded) <= first <= math.ceil(lead - rounded) + (s.audio == "vorbis")
    return first


def heard_at(s: Source, first: int) -> float:
    """Where the sound's own first instant lies on the title's clock, seconds, by the frame that is the picture's."""
    untold_s = PRIMING.get(s.audio, 0) / s.rate_hz if s.container == "avi" else 0.0
    return float(first / s.fps + s.sound_late_s - s.picture_late_s) + untold_s


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("drawn")


# The laws.


def check_levels(s: Source, seen: Seen) -> None:
    """Patches have the colour that they were given, in limited range, by the source's own matrix, on black."""
    wanted = to_codes(PATCHES * (ALPHA if s.has_alpha else 1), s.told_matrix, 8, full=False)
    if s.format == "gray":
        wanted[:, 1:] = 128
    assert np.abs(seen.patches - wanted).max() <= LEVEL_SLACK


def check_tags(s: Source, seen: Seen) -> None:
    """Every frame is tagged."""
    assert len(seen.tags) == len(seen.numbers)
    (tags,) = set(seen.tags)
    color_range, matrix, primaries, transfer = tags
    assert color_range == "tv"
    if s.matrix:
        assert matrix == s.matrix
    assert LUMA_WEIGHTS[matrix] == LUMA_WEIGHTS[s.told_matrix]
    assert primaries == PRIMARIES[matrix]
    assert transfer in (*SAME_CURVE, *(["iec61966-2-1"] if s.is_rgb else []))


def check_bursts(s: Source, samples: np.ndarray, bursts, starts_s) -> None:
    """Every burst lies where it was played, as loud as the mix makes its channel, and nowhere else."""
    off_s, off_db, crosstalk = (0.005, 0.5, 0.005) if s.audio in LOSSLESS else (0.012, 1.5, 0.03)
    gains = np.array(LAYOUTS[s.layout])
    for (k, amplitude), start_s in zip(bursts, starts_s, strict=True):
        wanted = amplitude * gains[k % len(gains)]
        if not wanted.any():
            inside = samples[round((start_s + 0.01) * 48_000) : round((start_s + BURST_S - 0.01) * 48_000)]
            assert np.abs(inside).max() <= crosstalk, f"burst {k} of the low-frequency channel is heard"
            continue
        found_s, found = burst_at(samples, start_s)
        assert abs(found_s - start_s) <= off_s, f"burst {k}"
        for side in (0, 1):
            if wanted[side]:
                assert abs(20 * np.log10(found[side] / wanted[side])) <= off_db, f"burst {k}"
            else:
                assert found[side] <= crosstalk * amplitude, f"burst {k}"


@pytest.mark.parametrize("source", GRID, ids=str)
def test_a_source_is_read_as_it_was_made(ffmpeg, make_media, folder, tmp_path, source):
    path = make(make_media, folder, source)
    info = probe(path, ffmpeg)
    assert info.fps == source.fps
    assert (info.width_px, info.height_px) == source.size
    assert info.interlaced == source.is_interlaced
    seen = see(ffmpeg, info, video_chain(info), tmp_path / "log")
    begin_s = heard_at(source, first_shown(source, path, seen.numbers))
    check_levels(source, seen)
    check_tags(source, seen)
    samples = hear(info, 1.4, tmp_path / "sound")
    assert np.abs(samples[: max(0, round((begin_s + BURSTS[0][0] - 0.03) * 48_000))]).max(initial=0) < 0.01
    numbered = [(k, amplitude) for k, (_, amplitude) in enumerate(BURSTS)]
    check_bursts(source, samples, numbered, [begin_s + start_s for start_s, _ in BURSTS])


def test_the_grid_holds_every_choice_several_times():
    assert len(set(GRID)) == len(GRID) >= 120
    for field, values in [*CHOICES.items(), ("container", CONTAINERS)]:
        used = Counter(getattr(source, field) for source in GRID)
        assert min(used[value] for value in values) >= 2, used
    assert set(CODERS) == {source.video for source in GRID}


LONG_S = 8
LONG_BURSTS = tuple((0.2 + 0.3 * k + 0.004 * k * k, 0.5) for k in range(21))
"""No two are as far apart as two others: a stretch of sound is known by them."""


def long(container, video, rate="24", audio="pcm_s16le", gop=30, **more):
    source = Source(container=container, video=video, rate=rate, audio=audio, num_frames=LONG_S * int(rate), **more)
    return pytest.param(source, gop, id=f"{source}, key frames {gop} apart")


@pytest.mark.parametrize(
    ("source", "gop"),
    [
        long("mp4", "h264", audio="aac"),
        long("mp4", "hevc", "25", audio="alac", late="picture"),
        long("mp4", "h264", "30", audio="ac3", gop=1000),
        long("mov", "h264", "25", late="sound"),
        long("mkv", "h264", "30", audio="opus", gop=36),
        long("mkv", "vp9", audio="flac", late="picture"),
        long("webm", "vp8", "25", audio="vorbis"),
        long("ts", "h264", "25", audio="aac"),
        long("ts", "mpeg2", "25", audio="mp2", gop=15, scan="tff"),
        long("mpg", "mpeg2", "25", audio="mp2", gop=12),
        long("avi", "mpeg4", "25", audio="mp3"),
        long("flv", "h264", "30", audio="aac", gop=60),
        long("nut", "h264", "25", audio="vorbis", late="sound"),
        long("mxf", "mpeg2", "25", gop=12),
        long("ogg", "theora", "24", audio="vorbis", gop=32),
    ],
)
def test_a_part_read_from_within_holds_its_own_frames_and_sound(ffmpeg, make_media, folder, tmp_path, source, gop):
    cuts = ("-g", str(gop), *(("-sc_threshold", "0") if source.video in ("h264", "mpeg2", "mpeg4") else ()))
    if source.container == "mpg":  # a time for every frame, where frames are large
        cuts += ("-b:v", "1M", "-minrate", "1M", "-maxrate", "1M", "-bufsize", "200k")
    path = make(make_media, folder, source, *cuts, bursts=LONG_BURSTS, length_s=LONG_S)
    info = probe(path, ffmpeg)
    assert info.fps == source.fps
    numbers = see(ffmpeg, info, video_chain(info), tmp_path / "log").numbers
    begin_s = heard_at(source, first_shown(source, path, numbers))
    scan = scan_source(ffmpeg, info, tmp_path)
    assert scan.num_frames == len(numbers)
    key_times = read_key_times(info)
    for first_s, num_frames, tail_frames in ((1.5, 12, 0), (4.2, 20, 6), (5.0, 9, 0), (7.2, 15, 0)):
        part = Part(
            first_frame=round(first_s * source.fps), num_frames=num_frames, is_whole=False, tail_frames=tail_frames
        )
        part = replace(part, seek_s=prove_seek(ffmpeg, info, part, key_times, scan.fingerprints))
        assert (part.seek_s is None) == (first_s < 4 or gop > source.frames)
        seen = see(ffmpeg, info, part.chain(info), tmp_path / "log", part.seek_s)
        assert seen.numbers == numbers[part.first_frame : part.first_frame + num_frames]
        start_s = part.start_s(info.fps)
        samples = hear(info, 0.7, tmp_path / "sound", start_s=start_s)
        there = [
            ((k, amplitude), at_s)
            for k, (burst_s, amplitude) in enumerate(LONG_BURSTS)
            if 0.05 < (at_s := begin_s + burst_s - start_s) < 0.6
        ]
        assert there
        check_bursts(source, samples, *zip(*there, strict=True))
