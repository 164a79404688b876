"""From media to the feature table."""
