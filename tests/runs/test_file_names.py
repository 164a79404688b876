"""Names of files for titles."""

from abr_alloc.runs.file_names import FileNames


def test_titles_become_names_that_any_file_system_takes_and_tells_apart():
    names = FileNames()
    titles = ["a/b", "a b", "A b", "..", "", "Füße", "x.json"]
    assert [names.of(title) for title in titles] == [
        *("a-b.json", "a-b-2.json", "A-b-3.json", "title.json", "title-2.json", "Füße.json", "x.json.json"),
    ]
