"""XML, read safely: a document becomes elements here and nowhere else.

A document type is refused, and with it entities: they could make a few lines grow to gigabytes, or name files and
hosts. So are endless nesting, and elements without end. Names are local ones, their namespaces left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

__all__ = ["DamagedMarkup", "Element", "elements_of", "parse_xml"]

_MOST_DEEP = 64
_MOST_ELEMENTS = 500_000
_MOST_BYTES_BETWEEN = 16 << 20  # from the beginning of one element to that of the next
_CHUNK_BYTES = 1 << 20
_BETWEEN = "\x1f"  # a namespace and a name, in expat's words; no XML holds this character


class DamagedMarkup(ValueError):
    """A document that is no XML, or holds what is not read; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element with what is in it."""

    name: str
    """Local name."""
    attributes: Mapping[str, str]
    """Values by local name."""
    children: tuple[Element, ...]
    """Elements in it, in order."""
    text: str
    """Its own text, without white space at the ends."""

    def all(self, name: str) -> list[Element]:
        """Its children of a name."""
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Element | None:
        """Its first child of a name; None where there is none."""
        return next((child for child in self.children if child.name == name), None)


@dataclass(slots=True)
class _Open:
    """An element that has not ended."""

    name: str
    attributes: Mapping[str, str]
    children: list[Element] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


class _Reader:
    """expat with its limits."""

    def __init__(self) -> None:
        self.depth = self.elements = self.last_at = 0
        self.parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.EntityDeclHandler = self.doctype

    def started(self, name: str, attributes: Mapping[str, str]) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        """What to do at the end of an element."""

    def characters(self, text: str) -> None:
        """What to do with text."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth, self.elements, self.last_at = self.depth + 1, self.elements + 1, self.parser.CurrentByteIndex
        if self.depth > _MOST_DEEP:
            raise self.damage(f"elements are nested more than {_MOST_DEEP} deep")
        self.started(_local(name), {_local(key): value for key, value in attributes.items()})

    def end(self, name: str) -> None:
        self.depth -= 1
        self.ended()

    def doctype(self, *_: object) -> None:
        raise self.damage("it has a document type, which is not read")

    def damage(self, what: str) -> DamagedMarkup:
        return DamagedMarkup(f"line {self.parser.CurrentLineNumber}: {what}")

    def feed(self, data: bytes, last: bool, fed_bytes: int) -> None:
        try:
            self.parser.Parse(data, last)
        except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
            if isinstance(error, DamagedMarkup):
                raise
            raise DamagedMarkup(f"it is no XML ({error})") from None
        if fed_bytes - self.last_at > _MOST_BYTES_BETWEEN:
            raise self.damage(f"{_MOST_BYTES_BETWEEN >> 20} MiB pass without an element")


class _Tree(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[_Open] = [_Open(name="", attributes={})]

    def started(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.elements > _MOST_ELEMENTS:
            raise self.damage(f"there are more than {_MOST_ELEMENTS} elements")
        self.open.append(_Open(name=name, attributes=attributes))

    def ended(self) -> None:
        done = self.open.pop()
        text = "".join(done.text).strip()
        self.open[-1].children.append(
            Element(name=done.name, attributes=done.attributes, children=tuple(done.children), text=text)
        )

    def characters(self, text: str) -> None:
        self.open[-1].text.append(text)


class _Row(_Reader):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, Mapping[str, str]]] = []

    def started(self, name: str, attributes: Mapping[str, str]) -> None:
        self.rows.append((name, attributes))


def parse_xml(data: bytes) -> Element:
    """The root of a document.

    Raises:
        DamagedMarkup: it is no XML, or holds what is not read.
    """
    tree = _Tree()
    tree.feed(data, True, 0)
    return tree.open[0].children[0]


def elements_of(file: BinaryIO) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Every element of a document as it begins, with its attributes: of documents too long to hold.

    Raises:
        DamagedMarkup: it is no XML, or holds what is not read.
    """
    rows, fed_bytes = _Row(), 0
    while data := file.read(_CHUNK_BYTES):
        fed_bytes += len(data)
        rows.feed(data, False, fed_bytes)
        yield from rows.rows
        rows.rows.clear()
    rows.feed(b"", True, 0)
    yield from rows.rows


def _local(name: str) -> str:
    return name.rpartition(_BETWEEN)[2]
