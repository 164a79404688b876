"""ViSQOL v3, worked out: from samples of a reference and of what became of it to features and MOS."""
