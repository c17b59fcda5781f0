"""Finds a storage by the scheme of its URL: the backends of this package, and those of other installed packages."""

import importlib
import re
from importlib.metadata import entry_points

from eventscache.errors import ConfigError
from eventscache.storage.base import Storage
from eventscache.storage.options import StorageOptions

ENTRY_POINT_GROUP = "eventscache.storages"

# For a checkout that was never installed and has no entry points; setup.cfg lists the same for an installed package.
_BUILT_IN = {
    "memory": "eventscache.storage.memory:MemoryStorage",
    **dict.fromkeys(
        ("redis", "rediss", "unix", "sentinel", "sentinels", "redis+cluster", "rediss+cluster"),
        "eventscache.storage.redis:RedisStorage",
    ),
}


def storage_from_url(url: str, options: StorageOptions) -> Storage:
    """Return the storage for `url`, not yet open.

    Raises `ConfigError` as `storage_class` does, or if the storage cannot use the URL.
    """
    return storage_class(url).from_url(url, options)


def storage_class(url: str) -> type[Storage]:
    """Return the storage class for the scheme of `url`.

    Schemes are the names of entry points in the group `eventscache.storages`; each is a `Storage` class.
    Raises `ConfigError` if there is none, or if it cannot be imported.
    """
    scheme = url.partition(":")[0]
    found = next(iter(entry_points(group=ENTRY_POINT_GROUP, name=scheme)), None)
    if found is None and scheme not in _BUILT_IN:
        known = sorted({*_BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))})
        # A text that is no scheme may be a password, so the message does not repeat it.
        kind = f"{scheme}: URLs" if re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme) and scheme != url else "that"
        raise ConfigError(f"no storage for {kind}; there are {', '.join(known)}")
    try:
        if found is not None:
            loaded: type[Storage] = found.load()
        else:
            module, _, name = _BUILT_IN[scheme].partition(":")
            loaded = getattr(importlib.import_module(module), name)
    except ImportError as fault:
        raise ConfigError(f"the storage for {scheme}: URLs cannot be loaded: {fault}") from fault
    return loaded
