"""The names shared with Asterisk and the writer of its configuration: strings in, text out."""
