"""What `doctor` found, as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from abr_alloc.audio_families import family_of
from abr_alloc.cli.layout import new_table, render_table, wrap

__all__ = ["doctor_text"]

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STATES = {"runs": "runs", "fails": "fails: {}", "absent": "not in this ffmpeg"}
_OPTIONAL = {"optuna": " (for tune)"}


def doctor_text(document: Mapping[str, Any]) -> str:
    """What `doctor --json` says, as text."""
    parts = [_versions(document), _encoders(document), _models(document), _cache(document), _commands(document)]
    return "\n\n".join(parts) + "\n"


def size_text(size_bytes: float) -> str:
    """A size as people say it: three digits or so, powers of 1000."""
    power = min(int(math.log10(max(size_bytes, 1))) // 3, len(_UNITS) - 1)
    scaled = size_bytes / 1000**power
    return f"{scaled:.0f} {_UNITS[power]}" if power == 0 or scaled >= 99.5 else f"{scaled:.1f} {_UNITS[power]}"


def _versions(document: Mapping[str, Any]) -> str:
    table = new_table("program", "version", left=["program", "version"])
    for name, version in document["versions"].items():
        table.add_row(name, f"{version or 'missing'}{_OPTIONAL.get(name, '')}")
    # A path stands alone on its line: it is not broken, and can be copied.
    place = document["ffmpeg_path"]
    return render_table(table) + (f"\nffmpeg is {place}" if place else "")


def _encoders(document: Mapping[str, Any]) -> str:
    """Those of software one a line; hardware by what its encoders come to, as a driver serves all of them or none."""
    table = new_table("encoder", "for", "tried", left=["encoder", "for", "tried"])
    hardware: dict[tuple[str, str], list[str]] = {}
    for encoder in document["encoders"]:
        said = _STATES[encoder["state"]].format(encoder["reason"])
        said = "not installed" if encoder["name"] == "fdkaac" and encoder["state"] == "absent" else said
        if encoder["kind"] == "hardware" and encoder["state"] != "runs":
            maker = encoder["name"].rpartition("_")[2]
            hardware.setdefault((maker, said), []).extend(encoder["codecs"])
        else:
            table.add_row(encoder["name"], ", ".join(encoder["codecs"]), said)
    for (maker, said), codecs in hardware.items():
        table.add_row(f"*_{maker}", ", ".join(codecs), said)
    return render_table(table)


def _models(document: Mapping[str, Any]) -> str:
    table = new_table("model", "trained on", "reads", "size", left=["model", "trained on", "reads"])
    for model in document["models"]:
        version = model["audio_feature_version"]
        reads = "any" if version is None else family_of(version).name
        table.add_row(model["name"], model["labels"], reads, size_text(model["size_bytes"]))
    return "\n".join(
        [
            render_table(table),
            wrap(f"Grids: {', '.join(document['grids'])}"),
            wrap(f"Reference ladders: {', '.join(document['reference_ladders'])}"),
        ]
    )


def _cache(document: Mapping[str, Any]) -> str:
    cache = document["cache"]
    num = cache["num_entries"]
    kept = f", {size_text(cache['kept_bytes'])} of it kept encodes" if cache["kept_bytes"] else ""
    said = f"Cache: {num} entr{'y' if num == 1 else 'ies'}, {size_text(cache['size_bytes'])}{kept}"
    return f"{said}\ncache is {cache['path']}"


def _commands(document: Mapping[str, Any]) -> str:
    lines = []
    width = max(len(found["name"]) for found in document["commands"])
    for found in document["commands"]:
        lines.append(f"{found['name']:{width}}  {'ok' if found['ok'] else 'CANNOT RUN'}")
        for item in found["missing"]:
            part = "" if item["part"] == found["name"] else f"{item['part']}: "
            lines.append(wrap(f"  {part}{item['what']}; {item['next']}", "    "))
    return "\n".join(lines)
