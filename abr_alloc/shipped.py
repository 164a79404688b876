"""What ships as data: models, probing grids, fixed ladders. Imports nothing heavy: shells ask for their names."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

__all__ = ["grid_names", "model_names", "read_grid", "read_reference", "reference_names"]


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
