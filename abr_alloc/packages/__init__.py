"""Packages on disk: what somebody's HLS playlists or DASH manifest offer, stream by stream."""
