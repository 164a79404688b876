"""What a video track says of itself once: its sample entry with the parameter sets, compared and carried in-band.

The configuration records are those of ISO/IEC 14496-15 (avcC, hvcC, vvcC), of AV1 and of VP9 in ISOBMFF.
"""

from __future__ import annotations

from collections.abc import Sequence

from abr_alloc.media.boxes import Box, parse_boxes
from abr_alloc.media.codecs_parameters import nal_units

__all__ = [
    "configuration",
    "cut_notes",
    "entry_of",
    "in_band_entry",
    "level_of",
    "plain_entry",
    "same_samples",
    "told_size",
    "with_parameter_sets",
]

_RECORDS = {b"avcC": 3, b"hvcC": 12, b"vvcC": 6, b"av1C": 1, b"vpcC": 5}
"""Configuration records, each with the byte that holds the level."""

_IN_BAND = {b"avc1": b"avc3", b"hvc1": b"hev1"}
_DELIMITER, _SEI = {b"avcC": 9, b"hvcC": 35}, {b"avcC": 6, b"hvcC": 39}
_USER_DATA = 5  # user_data_unregistered (Rec. ITU-T H.274, 8.1): what x264 and x265 say of themselves
_LENGTH_AT = {b"avcC": 4, b"hvcC": 21}
_COMPRESSOR = slice(42, 74)


def entry_of(moov: Box) -> Box:
    """The only sample entry of the only track.

    Raises:
        ValueError: there is none.
    """
    entries = moov.find(b"trak", b"mdia", b"minf", b"stbl", b"stsd").boxes
    if len(entries) != 1:
        raise ValueError(f"it has {len(entries)} sample entries, not 1")
    return entries[0]


def told_size(init: bytes) -> tuple[int, int]:
    """Width and height that an initialisation segment of video tells, pixels.

    Raises:
        ValueError: it tells none.
    """
    moov = next((box for box in parse_boxes(init) if box.kind == b"moov"), None)
    entry = b"" if moov is None else entry_of(moov).data
    if len(entry) < 28:
        raise ValueError("it tells no size")
    return int.from_bytes(entry[24:26], "big"), int.from_bytes(entry[26:28], "big")


def plain_entry(entry: Box) -> Box:
    """A sample entry without what is no matter of the coded pictures: rates, and the name of who wrote it."""
    data = bytearray(entry.data)
    data[_COMPRESSOR] = bytes(_COMPRESSOR.stop - _COMPRESSOR.start)
    return Box(kind=entry.kind, data=bytes(data), boxes=[box for box in entry.boxes if box.kind != b"btrt"])


def configuration(entry: Box) -> Box:
    """The codec's configuration record.

    Raises:
        ValueError: there is none that is known here.
    """
    record = next((box for box in entry.boxes if box.kind in _RECORDS), None)
    if record is None:
        raise ValueError(f"a sample entry {entry.kind.decode('latin-1')} has no configuration that is known")
    return record


def level_of(entry: Box) -> int:
    """The level that a decoder has to have, as its codec counts."""
    record = configuration(entry)
    level = record.data[_RECORDS[record.kind]]
    return level & 0x1F if record.kind == b"av1C" else level


def in_band_entry(entry: Box, *, serves_all: bool) -> Box:
    """A sample entry for frames that carry the parameter sets of their own.

    Args:
        entry: the entry of the highest level among those of such frames, as `plain_entry` gives it.
        serves_all: whether the others have the same parameter sets.

    Raises:
        ValueError: the codec has no such entry.
    """
    record = configuration(entry)
    data = record.data
    if record.kind == b"hvcC":
        data = _incomplete(data)
    elif record.kind == b"av1C" and not serves_all:
        data = data[:4]  # its sequence header may be left out: every key frame has one
    elif record.kind not in (b"avcC", b"av1C", b"vpcC"):
        raise ValueError(f"{entry.kind.decode('latin-1')} cannot change its parameter sets on the way")
    boxes = [Box(kind=box.kind, data=data) if box is record else box for box in entry.boxes]
    return Box(kind=_IN_BAND.get(entry.kind, entry.kind), data=entry.data, boxes=boxes)


def same_samples(entry: Box, other: Box) -> bool:
    """Whether two sample entries differ in nothing but size and parameter sets, which can change on the way."""
    return (entry.kind, _samples(configuration(entry)), _other_boxes(entry)) == (
        other.kind,
        _samples(configuration(other)),
        _other_boxes(other),
    )


def _other_boxes(entry: Box) -> list[Box]:
    return [box for box in entry.boxes if box.kind not in _RECORDS]


def _samples(record: Box) -> bytes:
    """What a decoder cannot change on the way: profile, chroma and depth."""
    data = record.data
    if record.kind == b"avcC":
        return data[1:2] + data[4:5]
    if record.kind == b"hvcC":
        return bytes([data[1] & 0x1F, *data[16:19], data[21] & 3])
    if record.kind == b"av1C":
        return bytes([data[1] >> 5, data[2] & 0x7F])
    return data[4:5] + data[6:10]


def _incomplete(data: bytes) -> bytes:
    """An `hvcC` whose arrays are not complete: others may come in-band."""
    record, at = bytearray(data), 23
    for _ in range(data[22]):
        record[at] &= 0x7F
        count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            at += 2 + int.from_bytes(data[at : at + 2], "big")
    return bytes(record)


def _parameter_sets(record: Box) -> list[bytes]:
    """NAL units of a record; none of AV1 and VP9."""
    data, units = record.data, list[bytes]()

    def take(at: int, count: int) -> int:
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2], "big")
            units.append(data[at + 2 : at + 2 + size])
            at += 2 + size
        return at

    if record.kind == b"avcC":
        at = take(6, data[5] & 0x1F)
        take(at + 1, data[at])
    elif record.kind == b"hvcC":
        at = 23
        for _ in range(data[22]):
            at = take(at + 3, int.from_bytes(data[at + 1 : at + 3], "big"))
    return units


def with_parameter_sets(frame: bytes, entry: Box) -> bytes:
    """A key frame with the parameter sets of its sample entry before it, but behind its delimiter."""
    record = configuration(entry)
    if record.kind not in _LENGTH_AT:
        return frame
    length = _length_bytes(record)
    units = list(nal_units(frame, length))
    delimited = bool(units) and _kind(units[0], record) == _DELIMITER[record.kind]
    return _joined([*units[:delimited], *_parameter_sets(record), *units[delimited:]], length)


def cut_notes(frame: bytes, entry: Box) -> bytes:
    """A frame without what its encoder says of itself, up to a kilobyte in every shot's first."""
    record = configuration(entry)
    if record.kind not in _LENGTH_AT:
        return frame
    length, head = _length_bytes(record), 1 if record.kind == b"avcC" else 2
    units = list(nal_units(frame, length))
    kept = [
        u for u in units if not (_kind(u, record) == _SEI[record.kind] and u[head : head + 1] == bytes([_USER_DATA]))
    ]
    return frame if len(kept) == len(units) else _joined(kept, length)


def _length_bytes(record: Box) -> int:
    return (record.data[_LENGTH_AT[record.kind]] & 3) + 1


def _kind(unit: bytes, record: Box) -> int:
    return unit[0] & 0x1F if record.kind == b"avcC" else unit[0] >> 1 & 0x3F


def _joined(units: Sequence[bytes], length_bytes: int) -> bytes:
    return b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)
