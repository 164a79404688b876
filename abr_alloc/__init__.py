"""Decide audio and video bitrate together.

features = abr_alloc.extract("film.mp4")
abr_alloc.plan(features, budget_kbps=2000).to_frame()
abr_alloc.relevance(features)
ladders = abr_alloc.ladder(features, network="4g")
abr_alloc.encode("film.mp4", ladders, "delivered")
abr_alloc.verify("delivered")
"""

from __future__ import annotations

from typing import Any

import lazy_loader

__version__ = "0.1.0"

# The names are those of `__init__.pyi`, loaded on first use: `abr-alloc --help` must not wait for pandas.
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        from abr_alloc.extras import extra_missing

        missing = extra_missing(error)
        if missing is None:
            raise
        raise missing from error
