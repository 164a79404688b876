"""Numbers of model files. Tensors are taken one by one: each has a name, floating numbers, a shape that fits the
others, and no number that is not finite. What is left over when all is taken belongs to no model of the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from abr_alloc.documents import number_of, shown

__all__ = ["StoredTensors", "numbers_of_object"]

_MOST = 1e4  # no number of a fit comes near
_FLOATS = (np.float16, np.float32, np.float64)


class StoredTensors:
    """The tensors of a file by name, with the sizes of their axes as far as they are known."""

    def __init__(self, tensors: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self._left = dict(tensors)
        self._sizes: dict[str, int] = {}

    def take(
        self, name: str, *axes: str | int, dtype: type[np.float32 | np.float64] = np.float64, above: float = -np.inf
    ) -> npt.NDArray[Any]:
        """A tensor that must be there.

        Args:
            name: its name.
            axes: size of each axis, or a word for it: axes of one word have one size throughout the file.
            dtype: the type that it is turned into.
            above: what all its numbers must be above.

        Raises:
            KeyError: it is missing.
            ValueError: it is of another type or shape, or holds what is no finite number; the message names it.
        """
        tensor = self._left.pop(name)
        if tensor.dtype not in _FLOATS:
            raise ValueError(f"tensor {name} holds {tensor.dtype}, not floating numbers")
        wanted = [self._sizes.setdefault(axis, size) if isinstance(axis, str) else axis
                  for axis, size in zip(axes, tensor.shape, strict=False)]  # fmt: skip
        if tensor.ndim != len(axes) or list(tensor.shape) != wanted:
            shape = ", ".join(str(self._sizes.get(axis, axis) if isinstance(axis, str) else axis) for axis in axes)
            raise ValueError(f"tensor {name} has the shape {tensor.shape}, not ({shape}{',' * (len(axes) == 1)})")
        with np.errstate(over="ignore"):
            found: npt.NDArray[Any] = np.asarray(tensor, dtype=dtype)
        strange = ~(np.isfinite(found) & (found > above))
        if strange.any():
            value = np.asarray(tensor)[strange].flat[0]
            least = f" above {above:g}" if above > -np.inf else ""
            raise ValueError(f"tensor {name} holds {value:g}, not a finite {np.dtype(dtype).name}{least}")
        return found

    def take_any(
        self, name: str, *axes: str | int, dtype: type[np.float32 | np.float64] = np.float64
    ) -> npt.NDArray[Any] | None:
        """A tensor that need not be there.

        Raises:
            ValueError: as `take`.
        """
        return self.take(name, *axes, dtype=dtype) if name in self._left else None

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def end(self) -> None:
        """Refuse what nobody took.

        Raises:
            ValueError: something is left; the message names it.
        """
        if self._left:
            raise ValueError(f"tensor {min(self._left)} belongs to no model of this architecture and these settings")


def numbers_of_object(found: Any, lengths: Mapping[str, int | None], what: str) -> dict[str, Any]:
    """The fields of an object of a model file that are one number (None), or so many, each.

    Raises:
        KeyError: a field is missing.
        ValueError: a field is unknown, or not what it must be; the message names it.
    """
    if not isinstance(found, dict):
        raise ValueError(f"{what} is {shown(found)}, not an object")
    for name in found:
        if name not in lengths:
            raise ValueError(f"{shown(name)} is no field of {what}")
    numbers: dict[str, Any] = {}
    for name, length in lengths.items():
        value = found[name]
        if length is not None and (not isinstance(value, (list, tuple)) or len(value) != length):
            raise ValueError(f"{name} of {what} is {shown(value)}, not {length} numbers")
        parts = [value] if length is None else value
        checked = [number_of({f"{name} of {what}": part}, f"{name} of {what}", -_MOST, _MOST) for part in parts]
        numbers[name] = checked[0] if length is None else tuple(checked)
    return numbers
