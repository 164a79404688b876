"""Write the commands' help into docs/cli.md, from the commands themselves; `--check` fails when it is out of date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from abr_alloc.cli.main import COMMANDS, cli

PAGE = Path(__file__).with_name("cli.md")
BLOCK = re.compile(r"(<!-- commands -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def commands() -> str:
    """A section per command, with its help."""
    context = click.Context(cli, info_name="abr-alloc", max_content_width=100, terminal_width=100)
    parts = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command, info_name=name, parent=context, max_content_width=100, terminal_width=100, color=False
        )
        parts += [f"### abr-alloc {name}", "```text\n" + command.get_help(inner).rstrip() + "\n```"]
    return "\n" + "\n\n".join(parts) + "\n\n"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    page, blocks = BLOCK.subn(lambda match: match[1] + commands() + match[2], text)
    if not blocks:
        sys.exit("docs/cli.md has no place for the commands: <!-- commands --> ... <!-- end -->")
    if "--check" in sys.argv[1:]:
        if page != text:
            sys.exit("docs/cli.md is out of date; run `make docs`")
    else:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
