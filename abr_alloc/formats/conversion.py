"""Records from what a document holds: types and ranges are those that the fields of the record declare.

Documents come from `documents.parse_json`, so that no number is NaN and no key stands twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from abr_alloc.documents import shown

__all__ = ["record_of", "refuse_unknown"]


def record_of(value: object, kind: Any, place: str = "") -> Any:
    """A value of a document as a record, or whatever else is declared. Fields that the record lacks are ignored.

    Whole numbers pass as numbers; true and false do not, and nothing passes as another type.

    Args:
        value: what `parse_json` gave.
        kind: a dataclass, or a type of a field.
        place: where the value stands, for messages: `ladders[0]`.

    Raises:
        ValueError: it does not fit; the message names the field and what it must be.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, inner = str(error).replace("`", "").partition(" - at $")
        what = what[0].lower() + what[1:]
        at = f"{place}{inner}".removeprefix(".")
        raise ValueError(f"{at}: {what}" if at else what) from None
    except UnicodeEncodeError:  # where texts may be names of files
        raise ValueError(f"the name of a field of {place or 'it'} holds half a character") from None


def refuse_unknown(value: Mapping[str, Any], kind: type[Any], place: str, *also: str) -> None:
    """Refuse an object with fields that a record lacks.

    Args:
        value: the object.
        kind: the dataclass.
        place: where the object stands.
        also: further fields that it may have.

    Raises:
        ValueError: it has some; the message names the first.
    """
    unknown = sorted(value.keys() - {field.name for field in dataclasses.fields(kind)} - {*also})
    if unknown:
        raise ValueError(f"{place}: {shown(unknown[0])} is no field of it")
