"""Measuring is done in threads of the test's own process, but where a test starts a run as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import work_in_threads


@pytest.fixture(scope="module", autouse=True)
def measured_in_threads() -> Iterator[None]:
    """A worker process imports for seconds what measures for tenths of one. Of a module, as fixtures measure too."""
    with pytest.MonkeyPatch.context() as patch:
        work_in_threads(patch)
        yield
