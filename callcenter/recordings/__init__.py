"""Recordings (录音): taken from Asterisk's disk, sealed, kept as long as the rules want, heard by few, never unseen."""
