"""What is fitted, and judged by ratings."""
