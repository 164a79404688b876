"""Plans, ladders and relevance over any number of tables."""
