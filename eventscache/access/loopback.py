"""Whether a host name or address means this machine."""

import ipaddress
from functools import lru_cache

_CACHED_HOSTS = 64


@lru_cache(_CACHED_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether a host is `localhost` or a loopback address, in brackets or not."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
