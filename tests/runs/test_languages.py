"""Tags of languages."""

import pytest

from abr_alloc.runs.languages import standard_language


@pytest.mark.parametrize(
    ("text", "tag"),
    [("eng", "en"), ("ger", "de"), ("pt-br", "pt-BR"), ("und", "und"), ("klingonish", None), ("", None)],
)
def test_a_tag_is_the_shortest_that_means_the_same(text, tag):
    assert standard_language(text) == tag
