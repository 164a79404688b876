"""How much a cache holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from abr_alloc.location import list_files

__all__ = ["CacheSize", "measure_cache"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSize:
    """How much a cache holds."""

    num_entries: int
    """Measurements."""
    size_bytes: int
    """Bytes of all its files, kept encodes included."""
    kept_bytes: int
    """Bytes of kept encodes."""


def measure_cache(root: Path) -> CacheSize:
    """How much lies in a cache, which need not exist.

    Raises:
        OSError: the store of a remote one does not answer.
    """
    num_entries = size_bytes = kept_bytes = 0
    for within, size in list_files(root):
        folder, name = within.parts[0], within.name
        size_bytes += size
        kept_bytes += size if folder == "kept" else 0
        num_entries += folder == "scores" and name.endswith(".npz") and not name.startswith(".")
    return CacheSize(num_entries=num_entries, size_bytes=size_bytes, kept_bytes=kept_bytes)
