"""Whether an address is this machine's own."""

import ipaddress
from functools import lru_cache

_REMEMBERED_HOSTS = 64


@lru_cache(_REMEMBERED_HOSTS)
def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
