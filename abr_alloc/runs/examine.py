"""What is installed, and what is missing for which command.

It looks and never repairs. Nothing that it looks for may end it: what is not there, or does not answer, is its result.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abr_alloc import __version__
from abr_alloc.documents import parse_json
from abr_alloc.extras import EXTRAS
from abr_alloc.location import is_remote, require_writable
from abr_alloc.models.audio_reading import read_version
from abr_alloc.parameters import with_options
from abr_alloc.shipped import grid_names, model_names, reference_names

if TYPE_CHECKING:
    from abr_alloc.media.encoder_trial import TriedEncoder

__all__ = ["OF_AN_EXTRA", "examine"]

# Import name -> what pip calls it, where that is another word.
_DISTRIBUTIONS = {
    "imageio_ffmpeg": "imageio-ffmpeg",
    "yaml": "pyyaml",
}
_PLANNING = ("pyarrow", "safetensors")
_LIBRARIES = {
    "extract": ("av", "imageio_ffmpeg", "pyarrow"),
    "encode": ("av", "imageio_ffmpeg", "langcodes", "pyarrow"),
    "verify": ("av", "imageio_ffmpeg", *_PLANNING),
    "lint": ("av",),
    "evaluate": (*_PLANNING, "sklearn"),
    "compare": (*_PLANNING, "scipy", "sklearn", "torch", "matplotlib"),
    "train": (*_PLANNING, "scipy", "sklearn", "torch"),
    "tune": (*_PLANNING, "torch", "optuna"),
    "export": ("pyarrow", "safetensors", "yaml"),
    "relevance": (*_PLANNING, "matplotlib"),
    "figure": (*_PLANNING, "matplotlib"),
    "report": (*_PLANNING, "altair", "jinja2", "vl_convert"),
}
"""What a command imports when it works, where that is more than planning does."""
OF_AN_EXTRA = ("compare", "figure", "report", "train", "tune")

_MAIN_CODECS = ("h264", "aac")  # what `extract` probes unless it is told otherwise
_Missing = dict[str, str]


def examine(commands: Iterable[str], ffmpeg_path: str | None, cache_dir: Path | None) -> dict[str, Any]:
    """The JSON object of `abr-alloc doctor --json` (docs/formats.md).

    Args:
        commands: names of the commands to look at.
        ffmpeg_path: ffmpeg to use; the one that is found when None.
        cache_dir: the cache; the user's when None.
    """
    from abr_alloc.measure.cache import default_cache_dir
    from abr_alloc.measure.cache_size import CacheSize, measure_cache
    from abr_alloc.visqol.regression import VISQOL_VERSION

    tools, encoders, lacks = _examine_tools(ffmpeg_path)
    root = cache_dir or default_cache_dir()
    root = root if is_remote(root) else root.absolute()
    size = CacheSize(num_entries=0, size_bytes=0, kept_bytes=0)
    try:
        size, reason = measure_cache(root), "" if _writable(root) else "cannot be written"
    except OSError as error:
        reason = f"cannot be used: {error.strerror}"
    if reason:
        lacks.append(_missing("extract", f"the cache {root} {reason}", "choose another with --cache"))
    missing = {name: _missing_libraries(name) for name in commands if name != "doctor"}
    if tools["path"] is None:
        missing["report"].append(_missing("report --source", "no ffmpeg for thumbnails", "see extract"))
        missing["encode"].append(_missing("encode", "no ffmpeg", "see extract"))
    if tools["libvmaf"] is None:
        missing["verify"].append(_missing("verify", "no ffmpeg with libvmaf", "see extract"))
    missing["extract"] += [*lacks, *(_missing_codecs(encoders) if tools["path"] else [])]
    return {
        "schema_version": 1,
        "command": "doctor",
        "versions": {
            "abr_alloc": __version__,
            "python": platform.python_version(),
            "ffmpeg": tools["ffmpeg"],
            "libvmaf": tools["libvmaf"],
            "visqol": VISQOL_VERSION,
            "optuna": _version("optuna"),
        },
        "ffmpeg_path": tools["path"],
        "encoders": [_encoder(encoder) for encoder in encoders],
        "models": [_model(name) for name in model_names()],
        "grids": grid_names(),
        "reference_ladders": reference_names(),
        "cache": {
            "path": str(root),
            "num_entries": size.num_entries,
            "size_bytes": size.size_bytes,
            "kept_bytes": size.kept_bytes,
        },
        "commands": [
            {"name": name, "ok": not any(item["part"] == name for item in found), "missing": found}
            for name, found in missing.items()
        ],
    }


def _missing(part: str, what: str, then: str) -> _Missing:
    """What is missing for a part of a command; for the command's main job where the part is its name."""
    return {"part": part, "what": what, "next": then}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _missing_libraries(name: str) -> list[_Missing]:
    absent = [lib for lib in _LIBRARIES.get(name, _PLANNING) if importlib.util.find_spec(lib) is None]
    return [_missing(name, f"no {lib}", f"pip install '{_distribution(lib)}'") for lib in absent]


def _distribution(library: str) -> str:
    """What pip installs to have a library."""
    extra = next((extra for extra, libraries in EXTRAS.items() if library in libraries), None)
    return f"abr_alloc[{extra}]" if extra else _DISTRIBUTIONS.get(library, library)


def _examine_tools(path: str | None) -> tuple[Mapping[str, str | None], list[TriedEncoder], list[_Missing]]:
    """Versions and place of ffmpeg and libvmaf, the encoders, and what `extract` cannot do without."""
    tools: dict[str, str | None] = {"path": None, "ffmpeg": None, "libvmaf": None}
    try:
        from abr_alloc.measure.video import libvmaf_version
        from abr_alloc.media.encoder_trial import look_at_encoders
    except ImportError:  # named among the libraries
        return tools, [], []
    from abr_alloc.errors import AbrAllocError
    from abr_alloc.media.ffmpeg import look_at_ffmpeg

    try:
        ffmpeg = look_at_ffmpeg(path)
    except (AbrAllocError, ImportError) as error:
        what, _, then = with_options(str(error)).rpartition("; ")
        return tools, look_at_encoders(None), [_missing("extract", what or then, then if what else "use --ffmpeg")]
    tools |= {"path": ffmpeg.path, "ffmpeg": ffmpeg.version}
    other = "drop --ffmpeg and ABR_ALLOC_FFMPEG for the bundled build, or use one that has it"
    lacks = []
    if "libvmaf" not in ffmpeg.filters:
        lacks.append(_missing("extract", "this ffmpeg was built without libvmaf", other))
    else:
        try:
            tools["libvmaf"] = libvmaf_version(ffmpeg)
        except (AbrAllocError, OSError, ValueError, KeyError) as error:
            lacks.append(_missing("extract", f"libvmaf does not run ({with_options(str(error))})", other))
    return tools, look_at_encoders(ffmpeg), lacks


def _encoder(found: TriedEncoder) -> dict[str, Any]:
    state, reason = found.trial.state, found.trial.reason
    told = {"name": found.name, "kind": found.kind, "codecs": list(found.codecs), "present": state != "absent"}
    return {**told, "state": state, "reason": reason or None}


def _missing_codecs(encoders: Sequence[TriedEncoder]) -> list[_Missing]:
    """Codecs whose usual encoders do not run."""
    from abr_alloc.codecs import AUDIO_CODECS

    found = []
    for codecs in dict.fromkeys(encoder.usual_of for encoder in encoders if encoder.usual_of):
        makers = [encoder for encoder in encoders if encoder.usual_of == codecs]
        if any(encoder.runs for encoder in makers):
            continue
        kind = "audio" if codecs[0] in AUDIO_CODECS else "video"
        part = "extract" if codecs[0] in _MAIN_CODECS else f"extract --{kind}-codec {'|'.join(codecs)}"
        then = f"give an ffmpeg with {makers[0].name} by --ffmpeg or ABR_ALLOC_FFMPEG"
        failing = next((maker for maker in makers if maker.trial.reason), None)
        if failing is not None:
            found.append(_missing(part, f"{failing.name} does not run ({failing.trial.reason})", then))
            continue
        if len(makers) > 1:
            then = f"apt-get install {makers[1].name} (Debian, contrib), or {then}"
        found.append(_missing(part, f"no {' or '.join(maker.name for maker in makers)}", then))
    return found


def _model(name: str) -> dict[str, Any]:
    folder = resources.files("abr_alloc.models").joinpath("weights", name)
    card = parse_json(folder.joinpath("model.json").read_bytes())
    size = sum(len(entry.read_bytes()) for entry in folder.iterdir())
    return {"name": name, "labels": card["labels"], "audio_feature_version": read_version(card), "size_bytes": size}


def _writable(folder: Path) -> bool:
    """Whether a folder can be written to, or made.

    Raises:
        OSError: a remote one cannot.
    """
    if is_remote(folder):
        require_writable(folder / "any")
        return True
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
