"""Return visits (回访): whom to call when, the four questions, and what the answers come to."""
