"""Components that a machine may lack."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip on a developer's machine what CI must not."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
