"""What a grid may hand to an encoder: options by an allow-list, commands without a shell.

Options of ffmpeg are allowed by name; everything else (inputs, outputs, filters, maps, protocols, what the program sets
itself) is refused. Parameters of the encoder itself are in `allowed_parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

__all__ = ["OPTIONS", "check_arguments", "check_command"]

_SOFTWARE = (
    "tune profile level bf refs b_strategy me_range subq qmin qmax qdiff qcomp trellis i_qfactor b_qfactor slices"
)
_HARDWARE = (
    "tune profile level tier bf refs rc-lookahead spatial-aq spatial_aq temporal-aq temporal_aq aq-strength multipass "
    "b_ref_mode b_adapt weighted_pred nonref_p no-scenecut look_ahead look_ahead_depth extbrc adaptive_i adaptive_b "
    "async_depth low_power scenario quality usage compression_level vbaq preanalysis pa_lookahead_buffer_depth "
    "high_motion_quality_boost_enable enforce_hrd realtime prio_speed power_efficient max_ref_frames lookahead_level "
    "highbitdepth tf_level p_strategy b_strategy mbbrc qmin qmax coder cavlc a53cc"
)
_DOLBY = (
    "cutoff dialnorm mixing_level room_type copyright original dsur_mode dmix_mode ltrt_cmixlev ltrt_surmixlev "
    "loro_cmixlev loro_surmixlev stereo_rematrixing channel_coupling cpl_start_band"
)
_AUDIO = {
    "aac": "cutoff aac_coder aac_ms aac_is aac_pns aac_tns",
    "libfdk_aac": "cutoff afterburner",
    "libopus": "cutoff application vbr frame_duration packet_loss fec apply_phase_inv compression_level",
    "ac3": _DOLBY,
    "eac3": _DOLBY,
}
OPTIONS = {
    "software": frozenset(_SOFTWARE.split()),
    "hardware": frozenset(_HARDWARE.split()),
    **{name: frozenset(options.split()) for name, options in _AUDIO.items()},
}
"""Options that a grid may give to encoders of video, of which those of software have more of their own, and to each
encoder of audio."""

_SET_HERE = {
    **dict.fromkeys(("i", "f", "y", "map", "ss", "t", "to", "attach", "protocol_whitelist"), "an input or output"),
    **dict.fromkeys(("vf", "af", "filter", "filter_complex", "lavfi", "filter_script"), "a filter"),
    **dict.fromkeys(("crf", "qp", "cq", "b", "q", "global_quality", "rc", "rc_mode"), "set from values or rates"),
    **dict.fromkeys(("maxrate", "bufsize"), "set from rate_mode and max_rate"),
    **dict.fromkeys(("g", "keyint_min", "sc_threshold", "forced-idr", "flags"), "set from gop_s"),
    **dict.fromkeys(("pass", "passlogfile", "stats"), "set from rate_mode"),
    **dict.fromkeys(("pix_fmt",), "set from pixel_format"),
    **dict.fromkeys(("preset", "cpu-used", "speed"), "set from preset"),
    **dict.fromkeys(("x264-params", "x264opts", "x265-params", "svtav1-params"), "set from params"),
    **dict.fromkeys(("aom-params", "vvenc-params"), "set from params"),
    "threads": "set by the program",
}
_OPTION = re.compile(r"-[A-Za-z0-9_-]{1,60}(?::[va])?", re.ASCII)
_VALUE = re.compile(r"[A-Za-z0-9_.,:=+|-]{1,200}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MOST_WORDS = 200


def check_arguments(args: Sequence[str], allowed: Collection[str]) -> None:
    """Refuse options that are not allowed.

    Args:
        args: options of ffmpeg, each followed by its value.
        allowed: their names.

    Raises:
        ValueError: the first that is refused, and why.
    """
    if len(args) > _MOST_WORDS:
        raise ValueError(f"args has {len(args)} words, {_MOST_WORDS} are the most")
    for at in range(0, len(args), 2):
        word = args[at]
        name = word.removeprefix("-").partition(":")[0]
        if not _OPTION.fullmatch(word):
            raise ValueError(f"args holds {word!r} where an option must stand; write options and values in turn")
        if name not in allowed:
            why = _SET_HERE.get(name)
            known = f"is {why}" if why else "is not among the options that may be given"
            raise ValueError(f"the argument {word!r} {known}; use {', '.join(sorted(allowed))}")
        if at + 1 == len(args):
            raise ValueError(f"the argument {word!r} has no value; write options and values in turn")
        if not _VALUE.fullmatch(args[at + 1]):
            raise ValueError(f"the argument {word!r} has the value {args[at + 1]!r}; write a word or a number")


def check_command(command: Sequence[str], known: Collection[str], source: str) -> None:
    """Refuse a command template that cannot be filled in.

    Args:
        command: the program and its arguments.
        known: names of the placeholders.
        source: that of what it reads.

    Raises:
        ValueError: what is missing or unknown.
    """
    if len(command) > _MOST_WORDS:
        raise ValueError(f"command has {len(command)} words, {_MOST_WORDS} are the most")
    if not command[0] or _PLACEHOLDER.search(command[0]):
        raise ValueError(f"command begins with {command[0]!r}; name the program first")
    used = [name for word in command for name in _PLACEHOLDER.findall(word)]
    for name in used:
        if name not in known:
            listed = ", ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"command has the placeholder {{{name}}}; use {listed}")
    for name in (source, "out"):
        if name not in used:
            raise ValueError(f"command has no {{{name}}}: where the program {_PLACES[name]}; add it as an argument")


_PLACES = {"y4m": "reads its frames", "wav": "reads its samples", "out": "writes its encode"}
