"""Reports of the example, and pages of a real Chromium that show them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abr_alloc.cli import main
from abr_alloc.table.table import FeatureTable, read_features, write_features

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="session")
def make_report(make_once) -> Callable[..., Path]:
    """A maker of reports: `make_report(features, *options)`; made once for the same words, by whichever process."""

    def make(features: Path, *options: str | Path) -> Path:
        words = (str(features), *map(str, options))

        def write(folder: Path) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["abr-alloc", "report", *words, "-o", str(folder / "report.html")])
                with pytest.raises(SystemExit) as ended:
                    main()
            assert not ended.value.code

        key = hashlib.sha256("\0".join(words).encode()).hexdigest()[:12]
        return make_once(f"reports/{key}", write) / "report.html"

    return make


@pytest.fixture(scope="session")
def rename_title(tmp_path_factory, example) -> Callable[[str, str], Path]:
    """A maker of tables: `rename_title(old, new)` is the example with another name for one title."""

    def rename(old: str, new: str) -> Path:
        table = read_features(example)
        frame = table.frame.assign(title=table.frame["title"].replace({old: new}))
        frame = frame.sort_values(["title", "scene", "kind"], kind="stable").reset_index(drop=True)
        path = tmp_path_factory.mktemp("renamed") / "features.parquet"
        write_features(FeatureTable(frame, table.metadata), path)
        return path

    return rename


class Watched:
    """A page, what it asked for, and what its console said."""

    def __init__(self, browser, path: Path, fragment: str = "", **context) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.url = f"{path.resolve().as_uri()}{fragment}"
        self.page.goto(self.url)


@pytest.fixture(scope="session")
def look_at(browser) -> Iterator[Callable[..., Page]]:
    """The page of a report at a fragment, as it is when it is opened there: `look_at(path, "#t4")`.

    To load a report takes longer than to use it, so each stays open for all tests and is led back to where it began.
    What is about loading, about charts being drawn or about the order of the catalogue's table opens one anew.
    """
    opened: dict[Path, tuple[Watched, str]] = {}

    def look(path: Path, fragment: str = "") -> Page:
        if path not in opened:
            watched = Watched(browser, path)
            words = watched.page.evaluate("address()").lstrip("#").split("&")
            opened[path] = watched, "&".join(word for word in words if not word.startswith("t"))
        watched, words = opened[path]
        watched.page.evaluate(
            """hash => {
                document.activeElement?.blur();
                document.getElementById("search").value = "";
                history.replaceState(null, "", hash);
                dispatchEvent(new HashChangeEvent("hashchange"));
            }""",
            f"{fragment or '#'}&{words}",
        )
        return watched.page

    yield look
    for watched, _ in opened.values():
        watched.context.close()


@pytest.fixture
def open_page(browser) -> Iterator[Callable[..., Watched]]:
    """Open a report: `open_page(path, fragment, **playwright_context)`."""
    opened: list[Watched] = []

    def open_(path: Path, fragment: str = "", **context) -> Watched:
        opened.append(Watched(browser, path, fragment, **context))
        return opened[-1]

    yield open_
    for watched in opened:
        watched.context.close()
