"""What the shell offers for a value: names of what ships, then files or folders.

A shell asks at every press of a key, so that nothing heavy is imported here: names are those of the files that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources

import click
from click.shell_completion import CompletionItem

__all__ = [
    "NETWORKS",
    "complete_grid",
    "complete_model",
    "complete_network",
    "complete_reference",
    "shipped_grids",
    "shipped_models",
    "shipped_references",
]

NETWORKS = ("3g", "4g", "fixed")
"""Names of audiences; `allocation.audience.PRESETS` says what they are."""

_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _names(package: str, folder: str, suffix: str) -> list[str]:
    entries = resources.files(package).joinpath(folder).iterdir()
    if not suffix:
        return sorted(entry.name for entry in entries if entry.joinpath("model.json").is_file())
    return sorted(entry.name.removesuffix(suffix) for entry in entries if entry.name.endswith(suffix))


def shipped_models() -> list[str]:
    """Names of the models that ship."""
    return _names("abr_alloc.models", "weights", "")


def shipped_grids() -> list[str]:
    """Names of the grids that ship."""
    return _names("ladders", "grids", ".toml")


def shipped_references() -> list[str]:
    """Names of the fixed ladders that ship."""
    return _names("ladders", "reference", ".toml")


def _offer(names: Callable[[], Iterable[str]], kind: str) -> _Complete:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # Files first: bash forgets what came before them.
        found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type=kind), *found]

    return complete


complete_model = _offer(shipped_models, "dir")
complete_grid = _offer(shipped_grids, "file")
complete_reference = _offer(shipped_references, "file")
complete_network = _offer(lambda: NETWORKS, "file")
