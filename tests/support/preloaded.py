"""All modules of the command, as a process imports them from which others are forked."""

import importlib
import pkgutil

import eventscache

# Imported only where OpenTelemetry is asked for, and installed.
_NOT_LOADED = ("eventscache.__main__", "eventscache.testing", "eventscache.telemetry.")

for module in pkgutil.walk_packages(eventscache.__path__, "eventscache."):
    if not module.name.startswith(_NOT_LOADED):
        importlib.import_module(module.name)
