"""Tags and names of languages."""

import pytest

from abr_alloc.languages import language_name, standard_language, three_letters


@pytest.mark.parametrize(
    ("text", "tag"),
    [("eng", "en"), ("ger", "de"), ("pt-br", "pt-BR"), ("und", "und"), ("klingonish", None), ("", None)],
)
def test_a_tag_is_the_shortest_that_means_the_same(text, tag):
    assert standard_language(text) == tag


@pytest.mark.parametrize(
    ("tag", "name", "letters"),
    [("de", "Deutsch", "deu"), ("fr", "Français", "fra"), ("pt-BR", "Português (Brasil)", "por"), ("und", "", "und")],
)
def test_a_language_is_called_as_its_speakers_call_it(tag, name, letters):
    assert (language_name(tag), three_letters(tag)) == (name, letters)
