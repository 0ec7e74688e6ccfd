"""People (人员): accounts, roles, sessions, seats, and the audit of who changed them."""
