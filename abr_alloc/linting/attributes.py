"""Attribute lists of playlist tags, read strictly (draft-pantos-hls-rfc8216bis-22, section 4.2).

Time is linear in a line's length whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from abr_alloc.linting.values import Check

__all__ = ["AttributeList", "Attributes", "read_attributes"]

Attributes = Mapping[str, str]
"""Values by name, quotes removed."""

_PAIR = re.compile(r'([ \t]*+)([A-Z0-9-]++)=("[^"]*+"|[^",\s]++)([ \t]*+)(,|\Z)')
_FORM = 'write NAME=value or NAME="value", with commas and nothing else between'
_MAX_ATTRIBUTES = 200
_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeList:
    """What an attribute list says."""

    attributes: Attributes
    """Those whose value is of its type."""
    names: frozenset[str]
    """All that are there, whatever their value."""
    faults: tuple[tuple[str, str], ...]
    """What is wrong, each with what to do."""
    whole: bool
    """Whether it could be read to its end."""

    def __contains__(self, name: str) -> bool:
        """Whether an attribute is there, whatever its value."""
        return name in self.names

    def get(self, name: str) -> str | None:
        """The value of an attribute; None where it is not there, or not of its type."""
        return self.attributes.get(name)


def read_attributes(text: str, type_of: Callable[[str], Check | None] = lambda name: None) -> AttributeList:
    """Read the text behind a tag's colon.

    Args:
        text: the list.
        type_of: the type of an attribute by its name; None for one that may be of any.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    faults: list[tuple[str, str]] = []
    at, whole = 0, True
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            faults.append((f"no attribute can be read at {text[at : at + _MAX_SHOWN]!r}", _FORM))
            whole = False
            break
        before, name, value, behind, comma = pair.groups()
        shown, at = name[:_MAX_SHOWN], pair.end()
        if (before or behind) and not any(then is _FORM for _, then in faults):  # once for a list
            faults.append((f"white space stands {'before' if before else 'behind'} {shown}", _FORM))
        if comma and at == len(text):
            faults.append((f"the list ends with a comma behind {shown}", "remove it"))
        if len(names) == _MAX_ATTRIBUTES:
            faults.append((f"more than {_MAX_ATTRIBUTES} attributes, and the rest is not read", "write fewer"))
            whole = False
            break
        if name in names:
            faults.append((f"{shown} is given twice", "keep one"))
            continue
        names.add(name)
        check = type_of(name)
        fault = check(value) if check else None
        if fault:
            faults.append((f"{shown} is {value[:_MAX_SHOWN]}", fault))
        else:
            found[name] = value.strip('"')
    if not text.strip():
        faults.append(("the attribute list is empty", "write its attributes"))
    return AttributeList(attributes=MappingProxyType(found), names=frozenset(names), faults=tuple(faults), whole=whole)
