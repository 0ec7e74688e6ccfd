"""Work orders (工单): what a citizen asked for, and what becomes of it."""
