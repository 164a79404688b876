"""What the shell offers for a value: names of what ships, then files or folders.

A shell asks at every press of a key, so that nothing heavy is imported here: names are those of the files that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from abr_alloc.shipped import NETWORKS, grid_names, model_names, reference_names

__all__ = [
    "complete_grid",
    "complete_model",
    "complete_network",
    "complete_reference",
]

_Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offer(names: Callable[[], Iterable[str]], kind: str) -> _Complete:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # Files first: bash forgets what came before them.
        found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return [CompletionItem(incomplete, type=kind), *found]

    return complete


complete_model = _offer(model_names, "dir")
complete_grid = _offer(grid_names, "file")
complete_reference = _offer(reference_names, "file")
complete_network = _offer(lambda: NETWORKS, "file")
