"""Files of docs/formats.md, written and read."""
