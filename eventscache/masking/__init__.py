"""Masking: personal data is removed from events before anything is stored."""

from typing import Final

DROPPED: Final = "***"
"""Stands for a value that was dropped, in texts and where a field must remain."""
