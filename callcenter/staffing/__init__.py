"""How many people are needed when, and who comes: forecast, seats, roster (排班)."""
