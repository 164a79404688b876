"""XML of strangers: read, or refused before it takes memory or time."""

from __future__ import annotations

import io
import time

import pytest

from abr_alloc import markup
from abr_alloc.markup import DamagedMarkup, elements_of, parse_xml

DOCUMENT = b'<?xml version="1.0"?><a xmlns="urn:x" xmlns:l="urn:l"><!-- no --><b l:href="1" c="2"> x <d/> y</b><b/></a>'


def test_names_are_local_and_text_is_an_elements_own():
    root = parse_xml(DOCUMENT)
    assert (root.name, [child.name for child in root.children]) == ("a", ["b", "b"])
    first = root.first("b")
    assert first.attributes == {"href": "1", "c": "2"}
    assert first.text == "x  y"
    assert [child.name for child in first.all("d")] == ["d"]
    assert root.first("z") is None


def test_a_long_document_is_read_as_it_comes():
    rows = b"".join(b'<frame n="%d"/>' % number for number in range(50_000))
    found = list(elements_of(io.BytesIO(b"<log>" + rows + b"</log>")))
    assert found[0] == ("log", {})
    assert [has["n"] for _, has in found[1:]] == [str(number) for number in range(50_000)]


BOMB = b"<!DOCTYPE a [<!ENTITY b 'xx'>" + b"".join(
    b"<!ENTITY c%d '%s'>" % (n, b"&c%d;" % (n - 1) * 20 if n else b"&b;") for n in range(12)
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB + b"]><a>&c11;</a>", "document type"),
        (b'<!DOCTYPE a SYSTEM "http://host/x.dtd"><a/>', "document type"),
        (b"<a>" * 100_000, "nested more than 64 deep"),
        (b"<a><b></a>", "it is no XML"),
        (b"<a/><a/>", "it is no XML"),
        (b"", "it is no XML"),
        (b"<a>&nbsp;</a>", "it is no XML"),
        (b"<a>\xff</a>", "it is no XML"),
        (b'<?xml version="1.0" encoding="x-none"?><a/>', "it is no XML"),
    ],
)
def test_what_is_no_document_of_ours_is_refused(data, message):
    with pytest.raises(DamagedMarkup, match=message):
        parse_xml(data)
    with pytest.raises(DamagedMarkup, match=message):
        list(elements_of(io.BytesIO(data)))


def test_a_tree_has_so_many_elements_and_a_log_any_number(monkeypatch):
    monkeypatch.setattr(markup, "_MOST_ELEMENTS", 1000)
    data = b"<a>" + b"<b/>" * 1000 + b"</a>"
    with pytest.raises(DamagedMarkup, match="more than 1000 elements"):
        parse_xml(data)
    assert len(list(elements_of(io.BytesIO(data)))) == 1001


def test_one_endless_value_takes_little_time():
    start = time.process_time()
    with pytest.raises(DamagedMarkup, match="16 MiB pass without an element"):
        list(elements_of(io.BytesIO(b'<a b="' + b"x" * (64 << 20))))
    assert time.process_time() - start < 10
