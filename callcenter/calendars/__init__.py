"""Calendars (日历): legal working days, and when the hotline, lines and counters are open. Three things never mixed."""
