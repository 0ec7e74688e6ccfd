"""Supervisors in agents' calls (班长席): who may, who did, and the seat that is told to rest."""
