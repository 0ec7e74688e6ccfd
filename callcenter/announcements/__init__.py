"""Announcements (公告) and the emergency guidance mode (应急指引): on every page, at the desk, and in callers' ears."""
