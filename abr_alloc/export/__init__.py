"""Playlists, manifests and job settings for other tools."""
