"""The normalised source: the frames that are encoded and compared, in ffmpeg's words.

A source is read by the options of `source_input` and passed through `video_chain`; nobody reads it otherwise. Times are
the file's own (`-copyts`), and the chain sets the title's first instant to 0, so that a frame has one time whether the
file is read from its beginning or from a place within.
"""

from __future__ import annotations

from pathlib import Path

from abr_alloc.media.ffmpeg import INPUT_GUARD
from abr_alloc.media.mastering import DROP_HDR, DROP_LAYERS
from abr_alloc.media.probe import MediaInfo
from abr_alloc.media.tone_mapping import source_peak_cd_m2, tone_map_filter

__all__ = ["source_input", "video_chain"]

# Formats that bwdif does not take, as planar formats that hold the same samples.
_PLANAR = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p",
    "yuyv422": "yuv422p", "uyvy422": "yuv422p", "yvyu422": "yuv422p", "vuyx": "yuv444p", "vyu444": "yuv444p",
    "p010le": "yuv420p10le", "p210le": "yuv422p10le", "p410le": "yuv444p10le", "y210le": "yuv422p10le",
    "xv30le": "yuv444p10le", "p012le": "yuv420p12le", "y212le": "yuv422p12le", "xv36le": "yuv444p12le",
    "vuya": "yuva444p", "ayuv": "yuva444p", "uyva": "yuva444p", "ayuv64le": "yuva444p16le",
}  # fmt: skip


def source_input(info: MediaInfo, *, seek_s: float | None = None) -> list[str | Path]:
    """Input options of a source, ending in `-i FILE`.

    Args:
        info: the source.
        seek_s: where to begin on the file's own clock, seconds; frames from the first that can be decoded there on.
    """
    seek = [] if seek_s is None else ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{seek_s:.6f}"]
    decoder = ["-c:v", info.decoder] if info.decoder else []
    return [
        *INPUT_GUARD, "-copyts", *seek, "-max_pixels", str(info.max_pixels), *decoder, "-i", info.path.resolve(),
    ]  # fmt: skip


def video_chain(info: MediaInfo, *, frames: tuple[int, int] | None = None) -> str:
    """The filters that turn a source's frames into the frames that are encoded and compared.

    Constant rate from the title's first instant on (a late picture's first frame stands until its time), upright,
    square pixels, even size, on black where there is alpha, limited range, tagged; timestamps count frames. Interlaced
    frames are deinterlaced wherever they come; others pass that filter as they are.

    Args:
        info: the source.
        frames: first frame of the title that is wanted, and the first one after; None for all. Where reading began
            later than at the file's beginning, frames before are copies of the first that was read.
    """
    assert info.colour is not None  # the probe refuses a source whose colour is not known
    colour = info.colour
    rate = f"{info.fps.numerator}/{info.fps.denominator}"
    steps = [f"setpts=round(PTS-({info.zero_s.numerator}/{info.zero_s.denominator})/TB)"] if info.zero_s else []
    planar = _planar(info)
    steps += [f"format={planar}"] if planar != info.source_format else []
    # What the file says, or is taken to mean, is set on the frames: no filter has to guess, and none guesses otherwise.
    grey = planar.startswith("gray")
    hdr = colour.dynamic_range != "SDR"
    steps.append(f"setparams=range={'pc' if colour.in_full_range or grey else 'tv'}")
    if not colour.is_rgb:
        steps[-1] += f":colorspace={colour.matrix}"
    steps.append("bwdif=mode=send_frame:deint=interlaced")
    steps += ["premultiply=inplace=1"] if info.has_alpha else []
    steps.append(f"fps=fps={rate}:start_time=0")
    steps += [f"trim=start_frame={frames[0]}:end_frame={frames[1]}"] if frames else []
    steps += ["crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0"]
    steps += [_scale(info, grey=grey), *_tone_map(info)]
    steps += ["setsar=1", f"format={info.pixel_format}", info.made_colour.tags]
    steps += [DROP_HDR if info.tone_map else DROP_LAYERS] if hdr else []
    return ",".join([*steps, f"settb={info.fps.denominator}/{info.fps.numerator}", "setpts=N"])


def _tone_map(info: MediaInfo) -> list[str]:
    """From HDR to SDR, in R'G'B' of 16 bits at every pixel."""
    if not info.tone_map:
        return []
    assert info.colour is not None
    flags = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    peak_cd_m2 = source_peak_cd_m2(info.colour.transfer, info.hdr)
    return [
        f"scale={flags}:in_range=tv:out_range=pc:in_color_matrix={info.colour.scale_matrix},format=gbrp16le",
        tone_map_filter(info.colour.transfer, info.tone_map, peak_cd_m2),
        "setparams=color_primaries=bt709:color_trc=bt709",
        f"scale={flags}:in_range=pc:out_range=tv:out_color_matrix={info.made_colour.scale_matrix}",
    ]


def _planar(info: MediaInfo) -> str:
    """The format in which every sample is kept and filters can work."""
    name = info.source_format
    assert info.colour is not None
    if info.colour.is_rgb and not name.startswith("gbr"):
        deep = "" if info.bit_depth <= 8 else "10le" if name.startswith("x2") else "16le"
        return f"gbr{'a' if info.has_alpha else ''}p{deep}"
    return _PLANAR.get(name, name)


def _scale(info: MediaInfo, *, grey: bool) -> str:
    """To the shown size and limited range; `scale` takes grey for full range whatever it is told, so limited grey is
    given to it as full range on both sides, which leaves it as it is."""
    assert info.colour is not None
    colour = info.colour
    full_out = grey and not colour.in_full_range
    in_range = "pc" if colour.in_full_range or full_out else "tv"
    matrices = f":out_color_matrix={colour.scale_matrix}"
    if not colour.is_rgb:
        matrices = f":in_color_matrix={colour.scale_matrix}" + matrices
    # Chroma of RGB is worked out at every pixel, in full precision; sizes of YCbCr stay as they always were.
    flags = "bicubic+accurate_rnd+full_chroma_int" if colour.is_rgb else "bicubic"
    ranges = f"in_range={in_range}:out_range={'pc' if full_out else 'tv'}"
    return f"scale={info.width_px}:{info.height_px}:flags={flags}:{ranges}{matrices}"
