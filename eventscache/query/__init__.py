"""Filters of events, for reading and for the live view."""
