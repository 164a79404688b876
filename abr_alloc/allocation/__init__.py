"""Which pair to spend a budget on. NumPy and SciPy only: no torch, no ffmpeg."""
