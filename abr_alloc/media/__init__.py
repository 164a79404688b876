"""Sources and encodes: the only floor that runs ffmpeg."""
