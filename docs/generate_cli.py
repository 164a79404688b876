"""Write docs/cli.md from the commands themselves; `--check` fails when it is out of date."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from abr_alloc.cli.main import COMMANDS, cli

PAGE = Path(__file__).with_name("cli.md")


def page() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="abr-alloc", max_content_width=100, terminal_width=100)
    parts = [
        "# Command line",
        "Generated from the commands by `make docs`.",
        "Exit codes: 0 done, 1 failure, 2 usage, 3 some scene's budget is infeasible, 130 interrupted. Errors are one "
        "line on stderr; stdout holds data only. `abr-alloc --debug COMMAND` shows the traceback. `-q` and `-v` may "
        "stand before the command too ([Terminal](terminal.md)).",
    ]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command, info_name=name, parent=context, max_content_width=100, terminal_width=100, color=False
        )
        parts += [f"## abr-alloc {name}", "```text\n" + command.get_help(inner).rstrip() + "\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
            sys.exit("docs/cli.md is out of date; run `make docs`")
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
