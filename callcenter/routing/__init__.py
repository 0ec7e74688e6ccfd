"""Who takes which calls (话务分配): pulls, skills, queues, the guard of the 15 seconds."""
