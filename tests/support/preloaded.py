"""All modules of the command, as a process imports them from which others are forked."""

import importlib
import pkgutil

import eventscache

for module in pkgutil.walk_packages(eventscache.__path__, "eventscache."):
    if module.name not in {"eventscache.__main__", "eventscache.testing"}:
        importlib.import_module(module.name)
