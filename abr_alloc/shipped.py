"""What ships as data: models, probing grids, fixed ladders, networks. Imports nothing heavy: shells ask for names."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["NETWORKS", "grid_names", "model_names", "read_grid", "read_reference", "reference_names"]

NETWORKS: dict[str, tuple[str, str]] = {
    "3g": (
        "lognormal:median=1205k,sigma=0.427",
        "mean and spread 1.32 and 0.59 Mbit/s that Wang et al. (IEEE TMC 2026, Table I) give for the traces of Riiser "
        "et al., Commute Path Bandwidth Traces from 3G Networks (MMSys 2013)",
    ),
    "4g": (
        "lognormal:median=26.5M,sigma=0.515",
        "mean and spread 30.3 and 16.7 Mbit/s of van der Hooft et al., HTTP/2-Based Adaptive Streaming of HEVC Video "
        "over 4G/LTE Networks (IEEE Communications Letters 20, 2016, section III-A)",
    ),
    "fixed": (
        "lognormal:median=13M,sigma=0.891",
        "US shares of 90, 48 and 21 % above 4, 15 and 25 Mbit/s in Akamai's State of the Internet, first quarter of "
        "2017, as the press quoted them",
    ),
}
"""Audience by name -> parameters and where they come from (docs/ladders.md has the arithmetic and the caveats)."""


def model_names() -> list[str]:
    """Names of the models that ship."""
    folder = resources.files("abr_alloc").joinpath("models", "weights")
    return sorted(entry.name for entry in folder.iterdir() if entry.joinpath("model.json").is_file())


def grid_names() -> list[str]:
    """Names of the probing grids that ship."""
    return _toml_names("grids")


def reference_names() -> list[str]:
    """Names of the fixed ladders that ship."""
    return _toml_names("reference")


def read_grid(name: str) -> str:
    """The TOML of a probing grid that ships."""
    return _ladders().joinpath("grids", f"{name}.toml").read_text(encoding="utf-8")


def read_reference(name: str) -> str:
    """The TOML of a fixed ladder that ships."""
    return _ladders().joinpath("reference", f"{name}.toml").read_text(encoding="utf-8")


def _toml_names(folder: str) -> list[str]:
    entries = _ladders().joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


def _ladders() -> Traversable:
    """`ladders/` of the repository: inside the package where that was installed, beside it in a checkout."""
    inside = resources.files("abr_alloc").joinpath("ladders")
    return inside if inside.is_dir() else Path(__file__).parents[1] / "ladders"
