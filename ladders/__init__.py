"""Data that ships: probing grids and reference ladders."""
