"""What the attributes of one tag, and the tags of one playlist, may not say together.

Sections are those of draft-pantos-hls-rfc8216bis-22; a value by itself is judged in `syntax`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from abr_alloc.linting.attributes import AttributeList
from abr_alloc.linting.tags import Flaw
from abr_alloc.linting.values import decimal_float, decimal_integer, parse_date

__all__ = ["WITHIN_A_TAG", "across_tags"]

Lists = Mapping[str, Sequence[tuple[int, AttributeList]]]
"""Lines and attributes of every tag that has some, by its name."""

_Fault = tuple[str, str]  # message and next move
_CAPTION_CHANNEL = re.compile(r"CC[1-4]|SERVICE([1-9]|[1-5][0-9]|6[0-3])", flags=re.ASCII)
_SAME_S = 0.001  # dates are given to the millisecond


def _stream_inf(has: AttributeList) -> Iterator[_Fault]:
    peak, average = (decimal_integer(has.get(name) or "") for name in ("BANDWIDTH", "AVERAGE-BANDWIDTH"))
    if peak == 0:
        yield "BANDWIDTH is 0", "write the peak rate in bit/s"
    if average == 0:
        yield "AVERAGE-BANDWIDTH is 0", "write the average rate in bit/s"
    if peak and average and average > peak:
        yield f"AVERAGE-BANDWIDTH is {average}, above BANDWIDTH, {peak}, which is the peak", "correct one of them"


def _media(has: AttributeList) -> Iterator[_Fault]:
    kind = has.get("TYPE")
    if kind == "CLOSED-CAPTIONS":
        if "URI" in has:
            yield "TYPE is CLOSED-CAPTIONS with a URI, and captions lie in the video", "remove URI"
        channel = has.get("INSTREAM-ID")
        if "INSTREAM-ID" not in has or (channel is not None and not _CAPTION_CHANNEL.fullmatch(channel)):
            yield "TYPE is CLOSED-CAPTIONS without the INSTREAM-ID of a channel", "write CC1 to CC4, or SERVICE1 to 63"
    if kind == "SUBTITLES" and "URI" not in has:  # 4.4.6.2.1
        yield "TYPE is SUBTITLES without URI", "name its playlist"
    if kind in ("AUDIO", "VIDEO", "CLOSED-CAPTIONS") and "FORCED" in has:
        yield f"TYPE is {kind} with FORCED, which subtitles alone have", "remove it"
    for name in ("BIT-DEPTH", "SAMPLE-RATE", "CHANNELS"):
        if kind in ("VIDEO", "SUBTITLES", "CLOSED-CAPTIONS") and name in has:
            yield f"TYPE is {kind} with {name}, which audio alone has", "remove it"
    if has.get("DEFAULT") == "YES" and has.get("AUTOSELECT") == "NO":
        yield "DEFAULT is YES and AUTOSELECT is NO", "write AUTOSELECT=YES"


def _key(has: AttributeList) -> Iterator[_Fault]:
    method = has.get("METHOD")
    others = [name for name in ("URI", "IV", "KEYFORMAT", "KEYFORMATVERSIONS") if name in has]
    if method == "NONE" and others:
        yield f"METHOD is NONE with {', '.join(others)}", "remove what is not METHOD"
    if method not in ("NONE", None) and "URI" not in has:
        yield f"METHOD is {method} without URI", "say where the key is"
    if method in ("AES-256-GCM", "SAMPLE-AES-CTR") and "IV" in has:
        yield f"METHOD is {method} with IV, which the segments hold", "remove IV"


def _session_key(has: AttributeList) -> Iterator[_Fault]:
    if has.get("METHOD") == "NONE":
        yield "METHOD is NONE, and there is no key to load", "remove the tag"
    else:
        yield from _key(has)


def _session_data(has: AttributeList) -> Iterator[_Fault]:
    if ("VALUE" in has) == ("URI" in has):
        yield f"has {'both VALUE and URI' if 'URI' in has else 'no VALUE and no URI'}", "give one of them"


def _define(has: AttributeList) -> Iterator[_Fault]:
    named = [name for name in ("NAME", "IMPORT", "QUERYPARAM") if name in has]
    if len(named) != 1:
        yield f"has {' and '.join(named) or 'no name'}", "give one of NAME, IMPORT and QUERYPARAM"
    elif named == ["NAME"] and "VALUE" not in has:
        yield "has NAME without VALUE", "add VALUE"


def _server_control(has: AttributeList) -> Iterator[_Fault]:
    if "CAN-SKIP-DATERANGES" in has and "CAN-SKIP-UNTIL" not in has:
        yield "has CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL", "add CAN-SKIP-UNTIL"


def _date_range(has: AttributeList) -> Iterator[_Fault]:
    if "END-ON-NEXT" in has:
        if "CLASS" not in has:
            yield "has END-ON-NEXT without CLASS", "add CLASS"
        for name in ("DURATION", "END-DATE"):
            if name in has:
                yield f"has END-ON-NEXT with {name}", f"remove {name}"
    if {"PRE", "POST"} <= set((has.get("CUE") or "").split(",")):
        yield "CUE has both PRE and POST", "keep one"
    begin, end = (parse_date(has.get(name) or "") for name in ("START-DATE", "END-DATE"))
    if begin and end:
        seconds, said = (end - begin).total_seconds(), decimal_float(has.get("DURATION") or "")
        if seconds < 0:
            yield f"END-DATE is {-seconds:g} s before START-DATE", "correct one of them"
        elif said is not None and abs(said - seconds) > _SAME_S:
            yield f"DURATION is {said:g} s, and {seconds:g} s pass from START-DATE to END-DATE", "correct one of them"


WITHIN_A_TAG: Mapping[str, Callable[[AttributeList], Iterator[_Fault]]] = {
    "EXT-X-DEFINE": _define,
    "EXT-X-SERVER-CONTROL": _server_control,
    "EXT-X-KEY": _key,
    "EXT-X-DATERANGE": _date_range,
    "EXT-X-MEDIA": _media,
    "EXT-X-STREAM-INF": _stream_inf,
    "EXT-X-I-FRAME-STREAM-INF": _stream_inf,
    "EXT-X-SESSION-DATA": _session_data,
    "EXT-X-SESSION-KEY": _session_key,
}
"""Checks of one tag's attributes, by its name."""


def across_tags(tags: Mapping[str, int], lists: Lists) -> Iterator[Flaw]:
    """What tags of one playlist may not say together.

    Args:
        tags: first line of every tag, by its name.
        lists: attributes of those that have some.
    """

    def of(name: str) -> Sequence[tuple[int, AttributeList]]:
        return lists.get(name, ())

    def flaw(section: str, line: int, message: str, then: str) -> Flaw:
        return Flaw(rule=f"HLS {section}", line=line, message=message, next=then)

    variables = ((line, has.get(key)) for line, has in of("EXT-X-DEFINE") for key in ("NAME", "IMPORT", "QUERYPARAM"))
    for line in _repeated((line, name) for line, name in variables if name):
        yield flaw("4.4.2.3", line, "EXT-X-DEFINE names a variable that one before it has", "remove one")
    if "EXT-X-PART" in tags and "EXT-X-PART-INF" not in tags:
        yield flaw("4.4.3.7", tags["EXT-X-PART"], "EXT-X-PART stands without EXT-X-PART-INF", "add it")
    if "EXT-X-PART-INF" in tags and not any("PART-HOLD-BACK" in has for _, has in of("EXT-X-SERVER-CONTROL")):
        where, then = tags["EXT-X-PART-INF"], "add #EXT-X-SERVER-CONTROL with PART-HOLD-BACK"
        yield flaw("4.4.3.8", where, "EXT-X-PART-INF stands without PART-HOLD-BACK", then)
    yield from _date_ranges(tags, of("EXT-X-DATERANGE"), flaw)
    if "EXT-X-PRELOAD-HINT" in tags and "EXT-X-ENDLIST" in tags:
        message = "EXT-X-PRELOAD-HINT promises more, and EXT-X-ENDLIST says that nothing follows"
        yield flaw("4.4.5.3", tags["EXT-X-PRELOAD-HINT"], message, "remove one")
    streams = of("EXT-X-STREAM-INF")
    if any(has.get("CLOSED-CAPTIONS") == "NONE" for _, has in streams):
        for line, has in streams:
            if "CLOSED-CAPTIONS" not in has or has.get("CLOSED-CAPTIONS") not in ("NONE", None):
                message = "CLOSED-CAPTIONS is NONE on other variants, and then it must be on all"
                yield flaw("4.4.6.2", line, message, "write CLOSED-CAPTIONS=NONE, or give all of them their group")
    for tag, section, keys in (
        ("EXT-X-SESSION-DATA", "4.4.6.4", ("DATA-ID", "LANGUAGE")),
        ("EXT-X-SESSION-KEY", "4.4.6.5", ("METHOD", "URI", "IV", "KEYFORMAT", "KEYFORMATVERSIONS")),
    ):
        for line in _repeated((line, tuple(map(has.get, keys))) for line, has in of(tag)):
            yield flaw(section, line, f"{tag} says what one before it says", "remove one")


def _date_ranges(
    tags: Mapping[str, int], ranges: Sequence[tuple[int, AttributeList]], flaw: Callable[[str, int, str, str], Flaw]
) -> Iterator[Flaw]:
    """Date ranges need the playlist's own clock; tags of one ID add to each other and agree."""
    if ranges and "EXT-X-PROGRAM-DATE-TIME" not in tags:
        message = "EXT-X-DATERANGE stands in a playlist without EXT-X-PROGRAM-DATE-TIME"
        yield flaw("4.4.5.1", ranges[0][0], message, "add the time of a segment")
    known: dict[str, dict[str, str | None]] = {}
    for line, has in ranges:
        name = has.get("ID")
        if name is None:
            continue
        before = known.setdefault(name, {})
        if "START-DATE" not in has and "START-DATE" not in before:
            yield flaw("4.4.5.1", line, "EXT-X-DATERANGE has no START-DATE, nor one of its ID before it", "add it")
        changed = sorted(key for key, value in has.attributes.items() if before.get(key) not in (None, value))
        if changed:
            message = f"EXT-X-DATERANGE gives {', '.join(changed)[:80]} of {name[:40]!r} another value than before"
            yield flaw("4.4.5.1", line, message, "repeat the same, or use another ID")
        before.update({key: has.get(key) for key in has.names})


def _repeated(found: Iterable[tuple[int, Hashable]]) -> Iterator[int]:
    """Lines of those whose value one before them has."""
    seen: set[Hashable] = set()
    for line, value in found:
        if value in seen:
            yield line
        seen.add(value)
