"""Strict JSON: validated in C where that is possible, in Python otherwise."""
