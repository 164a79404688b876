"""The systems by name: the paper's Table 1, the standard, ours, and one's own.

To compare or train a system of your own, write a class with `name`, `label` and `fit` in a file and name the file
(docs/own_ratings.md).
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from abr_alloc.errors import UnknownSystemError
from abr_alloc.learning.systems import (
    ContentBlind,
    NetworkSystem,
    ProductSystem,
    StandardSystem,
    SvrSystem,
    System,
)

__all__ = ["SYSTEMS", "find_systems"]

SYSTEMS: Mapping[str, System] = {
    system.name: system
    for system in (
        ProductSystem(name="product-best-guess", label="weighted product, .3 / .7", weights=(0.3, 0.7)),
        ProductSystem(name="product-fitted", label="weighted product, fitted", weights=None),
        SvrSystem(name="svr-2f", label="SVR-2F", with_rate=False, with_features=False),
        SvrSystem(name="svr-3f", label="SVR-3F", with_rate=True, with_features=False),
        SvrSystem(name="svr-7f", label="SVR-7F", with_rate=False, with_features=True),
        SvrSystem(name="svr-8f", label="SVR-8F", with_rate=True, with_features=True),
        NetworkSystem(name="simple", label="Simple AV-Fusion", kind="simple"),
        NetworkSystem(name="ca", label="CA AV-Fusion", kind="ca"),
        NetworkSystem(name="recursive", label="Recursive AV-FusionNet", kind="recursive"),
        NetworkSystem(name="attentive", label="Attentive AV-FusionNet", kind="attentive"),
        StandardSystem(),
        NetworkSystem(
            name="attentive-product",
            label="Attentive on Q_a and the product form's Q_v",
            kind="attentive",
            of_qualities=True,
        ),
        ContentBlind(),
    )
}
"""The systems that ship, in the order of the paper's table."""


def find_systems(names: Sequence[str], *, video_ratings: pd.DataFrame | None = None) -> list[System]:
    """Systems by name, `product:0.33,0.67` for a product with these weights, or a Python file of one's own.

    Args:
        names: which.
        video_ratings: a second table of video ratings for the product form of networks that read qualities.

    Raises:
        UnknownSystemError: there is no such system or file, or the file defines none.
    """
    found = [_find(name) for name in names]
    for name in (system.name for system in found):
        if [system.name for system in found].count(name) > 1:
            raise UnknownSystemError(f"two systems are named {name!r}; rename one or leave it out", name=name)
    return [
        replace(system, video_ratings=video_ratings)
        if isinstance(system, NetworkSystem) and system.of_qualities
        else system
        for system in found
    ]


def _find(name: str) -> System:
    if name in SYSTEMS:
        return SYSTEMS[name]
    if name.startswith("product:"):
        return _weighted(name)
    if name.endswith(".py"):
        return _load(Path(name))
    listed = ", ".join(SYSTEMS)
    raise UnknownSystemError(
        f"no system {name!r}; there are {listed}, product:W_A,W_V with weights of your own, or a Python file", name=name
    )


def _weighted(name: str) -> System:
    try:
        w_a, w_v = (float(text) for text in name.removeprefix("product:").split(","))
    except ValueError:
        w_a = w_v = -1.0
    if not (0.0 <= w_a <= 3.0 and 0.0 <= w_v <= 3.0):
        raise UnknownSystemError(f"{name!r} does not give two weights from 0 to 3; write product:0.33,0.67", name=name)
    return ProductSystem(name=name, label=f"weighted product, {w_a:g} / {w_v:g}", weights=(w_a, w_v))


def _load(path: Path) -> System:
    """The one system that a Python file defines: a class with `name`, `label` and `fit`, made without arguments."""
    if not os.path.isfile(path):  # noqa: PTH113 - a name may be too long to ask for
        raise UnknownSystemError(f"there is no file {path}; name a Python file that defines a system", name=str(path))
    spec = importlib.util.spec_from_file_location(f"abr_alloc_system_{path.stem}", path)
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses and inspect look a class's module up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # it may end Python as a script does
        raise UnknownSystemError(f"{path} cannot be imported: {error!r}; correct it", name=str(path)) from error
    found: list[Any] = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and all(hasattr(kind, part) for part in ("name", "label", "fit"))
    ]
    if len(found) != 1:
        raise UnknownSystemError(
            f"{path} defines {len(found)} classes with name, label and fit; it must define one", name=str(path)
        )
    try:
        system: System = found[0]()
        name, label = system.name, system.label
    except (Exception, SystemExit) as error:
        raise UnknownSystemError(
            f"{path}: {found[0].__name__} cannot be made without arguments: {error!r}; correct it", name=str(path)
        ) from error
    for what, text in (("name", name), ("label", label)):
        if not isinstance(text, str) or not text.strip():
            raise UnknownSystemError(
                f"{path}: the {what} of {found[0].__name__} is {text!r}, not text; correct it", name=str(path)
            )
    return system
