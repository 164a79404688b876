"""Libraries that only an extra of the package installs."""

from __future__ import annotations

from abr_alloc.errors import ExtraMissingError

__all__ = ["EXTRAS", "extra_missing"]

EXTRAS = {
    "cluster": ("dask", "distributed"),
    "report": ("altair", "jinja2", "markupsafe", "matplotlib", "vl_convert"),
    "s3": ("fsspec", "s3fs", "upath"),
    "train": ("scipy", "sklearn", "torch"),
    "tune": ("optuna",),
}
"""Extra -> the libraries that it is installed for, by the names that are imported."""


def extra_missing(error: ModuleNotFoundError) -> ExtraMissingError | None:
    """What to say of a library that is not there; None where no extra installs it."""
    library = (error.name or "").partition(".")[0]
    for extra, libraries in EXTRAS.items():
        if library in libraries:
            return ExtraMissingError(
                f"this needs {library}, which the extra [{extra}] installs; pip install 'abr_alloc[{extra}]'",
                library=library,
                extra=extra,
            )
    return None
