"""Calling citizens back (回电): those who asked for it keep their place, those who gave up are on the same list."""
