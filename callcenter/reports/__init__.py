"""Figures: what share was answered in time, today and in the worst 24 hours."""
