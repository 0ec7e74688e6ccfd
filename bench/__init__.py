"""Figures, side by side, for people to read. Nothing here passes or fails."""
