"""A delivered HLS stream against Apple's authoring rules and those of HLS itself: offline, playlists and segments."""
