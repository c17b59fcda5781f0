"""Strict JSON: checked in C where that can vouch for it, in Python otherwise."""
