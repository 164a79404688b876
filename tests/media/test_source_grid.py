"""How sources are read: containers, codecs, rates, colours and layouts against answers known beforehand.

Every source carries its answers. A frame shows its number as eight cells of black and white, with four flat patches of
known colour below; bursts of a tone run through the channels of the sound at known times. What comes out of the
normalisation is read back from these, by the formulas of the standards and by nothing of the package's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

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
PATCHES = np.array([(0.5, 0.5, 0.5), (0.8, 0.1, 0.15), (0.1, 0.7, 0.2), (0.15, 0.2, 0.9)])  # R'G'B' of full scale 1
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
        hd = self.size[1] >= 720 or self.size[0] >= 1280
        if self.is_rgb or not self.matrix:
            return "bt709" if hd else "smpte170m"
        return self.matrix


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
BURSTS = tuple((0.15 + 0.12 * k, (0.5, 0.3)[k % 2]) for k in range(8))
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
    looks: tuple[str, ...]
    slack: float = 2.0
    """How far levels may be off after it, 8-bit steps."""
    tells: tuple[str, ...] = ()
    """What its bitstream tells, whatever the container: matrix, aspect, fields."""


YUV_420, YUV_422, YUV_444 = ("yuv420p", "yuv420p10le"), ("yuv422p", "yuv422p10le"), ("yuv444p", "yuv444p12le")
CODERS = {
    "h264": Coder(
        options="libx264 -preset superfast -bf 2 -g 12 -crf 4",
        looks=(*YUV_420, "yuv420p:full", *YUV_422, "yuv444p", "gray", "gray:full"),
        tells=("matrix", "aspect", "fields"),
    ),
    "h264 rgb": Coder(options="libx264rgb -preset superfast -qp 0", looks=("rgb24", "bgr0"), tells=("aspect",)),
    "hevc": Coder(
        options="libx265 -preset ultrafast -x265-params log-level=error:bframes=2:keyint=12 -crf 4",
        looks=(*YUV_420, "yuv420p:full", *YUV_422, *YUV_444, "gray", "gbrp"),
        tells=("matrix", "aspect"),
    ),
    "mpeg2": Coder(
        options="mpeg2video -q:v 2 -bf 2 -g 12",
        looks=("yuv420p", "yuv422p"),
        tells=("matrix", "aspect", "fields"),
    ),
    "mpeg4": Coder(options="mpeg4 -q:v 2 -bf 2 -g 12", looks=("yuv420p",), tells=("aspect", "fields")),
    "vp8": Coder(
        options="libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 8 -crf 4 -b:v 4M",
        looks=("yuv420p", "yuva420p"),
    ),
    "vp9": Coder(
        options="libvpx-vp9 -deadline realtime -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 8 -crf 4 -b:v 0",
        looks=(*YUV_420, "yuv420p:full", "yuv422p", "yuv444p", "gbrp", "yuva420p"),
        tells=("matrix",),
    ),
    "av1": Coder(
        options="libsvtav1 -preset 12 -crf 8",
        looks=(*YUV_420, "yuv420p:full"),
        tells=("matrix",),
    ),
    "av1 aom": Coder(
        options="libaom-av1 -cpu-used 8 -usage realtime -crf 8",
        looks=("yuv444p", "gray", "gbrp"),
        tells=("matrix",),
    ),
    "prores": Coder(
        options="prores_ks -profile:v 4444 -quant_mat hq",
        looks=("yuv422p10le", "yuv444p10le", "yuva444p10le"),
        tells=("aspect", "fields"),
    ),
    "dnxhr": Coder(options="dnxhd -profile:v dnxhr_hq", looks=("yuv422p", "yuv422p10le", "yuv444p10le")),
    "ffv1": Coder(
        options="ffv1 -g 4",
        looks=(*YUV_420, *YUV_422, *YUV_444, "gray", "bgr0", "bgra", "yuva444p10le"),
        tells=("aspect", "fields"),
    ),
    "mjpeg": Coder(options="mjpeg -q:v 2", looks=("yuv420p:full", "yuv422p:full", "yuv444p:full"), tells=("aspect",)),
    "huffyuv": Coder(options="huffyuv", looks=("yuv422p", "rgb24", "bgra")),
    "ffvhuff": Coder(options="ffvhuff", looks=("yuv420p", "yuv444p", "gray", "gbrp", "yuv444p12le")),
    "utvideo": Coder(options="utvideo", looks=("yuv420p", "yuv422p", "gbrp")),
    "raw": Coder(options="rawvideo", looks=("yuv420p", "uyvy422", "nv12", "rgb24", "bgr0", "argb", "gray")),
    "v210": Coder(options="v210", looks=("yuv422p10le",)),
    "png": Coder(options="png", looks=("rgb24", "rgba", "pal8", "gray:full")),
    "qtrle": Coder(options="qtrle", looks=("rgb24", "argb")),
    "theora": Coder(options="libtheora -q:v 10", looks=("yuv420p", "yuv422p", "yuv444p"), tells=("aspect",)),
    "flv1": Coder(options="flv -q:v 2", looks=("yuv420p",)),
}
