"""The command `abr-alloc`: a thin shell over the package, one file per command."""

from abr_alloc.cli.main import main

__all__ = ["main"]
