"""Names of what ships as data: models, probing grids, fixed ladders. Imports nothing heavy: shells ask for them."""

from __future__ import annotations

from importlib import resources

__all__ = ["grid_names", "model_names", "reference_names"]


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


def _toml_names(folder: str) -> list[str]:
    entries = resources.files("ladders").joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))
