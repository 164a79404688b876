"""For other tools: one file per format."""
