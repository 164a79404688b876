"""The feature table: its columns, files of it, and catalogues of many."""
