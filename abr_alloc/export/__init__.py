"""For other tools: nothing yet."""
