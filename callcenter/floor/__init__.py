"""What is true on the phones now. One Floor per Asterisk node, one writer: `step` and `tick`."""
