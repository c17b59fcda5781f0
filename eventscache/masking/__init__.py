"""What of an event must not be stored, and its removal."""
