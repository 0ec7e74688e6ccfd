"""Alarms (告警): watched once a second, shown on the wallboard, told to others by webhook, kept."""
