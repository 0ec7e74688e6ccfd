"""Seats, queues and the answer target: pure rules. Imports the standard library only."""
