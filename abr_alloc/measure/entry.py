"""An entry of the cache: an .npz whose zip comment is the digest of its key and content.

NumPy opens it as it opens any .npz. One that was cut, changed, written by others or moved to another key is none.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["open_entry", "seal_entry"]

_KIND = b"sha256:"
_SEAL_LENGTH = len(_KIND) + 64


def seal_entry(key: str, arrays: Mapping[str, Any]) -> bytes:
    """Arrays as an entry of that key."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()  # which ends with the length of its comment, 0
    seal = _seal(key, content)
    return content[:-2] + len(seal).to_bytes(2, "little") + seal


def open_entry(key: str, content: bytes) -> dict[str, Any] | None:
    """The arrays of an entry, or None where it is not what was stored under its key."""
    plain = content[: -_SEAL_LENGTH - 2] + b"\0\0"
    if content[-_SEAL_LENGTH:] != _seal(key, plain):
        return None
    try:
        with np.load(io.BytesIO(plain), allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception:  # whoever can write a digest can write anything, and zip, zlib and NumPy raise almost anything
        return None


def _seal(key: str, content: bytes) -> bytes:
    return _KIND + hashlib.sha256(key.encode() + content).hexdigest().encode()
