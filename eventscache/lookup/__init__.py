"""Finds the entries of one event in all streams."""
