"""The running service of the 12345 hotline."""
