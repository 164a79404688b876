"""From media to the feature table: what is measured, how it is kept, and in what tasks."""
