"""Which pair to spend a budget on. No torch, no ffmpeg."""
