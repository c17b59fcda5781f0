"""IP addresses in texts, truncated to their network."""

import re
from ipaddress import AddressValueError, IPv6Address

from eventscache.masking import DROPPED

_IPV4 = re.compile(r"(?<![0-9])(?<![0-9]\.)((?:[0-9]{1,3}\.){3})([0-9]{1,3})(?![0-9]|\.[0-9])")
_IPV6_CHARACTERS = re.compile(r"(?<![A-Za-z0-9_])[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*+")
_ONE_ADDRESS = re.compile(r'"?\[?[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]?(?::[0-9]{1,5})?(?:/[0-9]{1,3})?"?|unknown')
_SEPARATORS = re.compile(r"[\s,;]+")
_LARGEST_OCTET = 255
_LEAST_COLONS, _MOST_COLONS = 2, 7  # in an IPv6 address


def truncated(text: str) -> str:
    """Return a text in which every IPv4 address is truncated to its /24 and every IPv6 address to its /48.

    What looks like an IPv6 address and is none, such as two without a gap between them, is dropped.
    """
    if ":" in text:
        text = _IPV6_CHARACTERS.sub(lambda match: _truncate_ipv6(match[0]), text)
    return _IPV4.sub(_truncate_ipv4, text) if "." in text else text


def truncated_if_alone(text: str) -> str:
    """Return the text truncated if it is one address or a list of them, with or without ports; else unchanged."""
    parts = [part for part in _SEPARATORS.split(text) if part]
    return truncated(text) if all(map(_ONE_ADDRESS.fullmatch, parts)) else text


def _truncate_ipv4(match: re.Match[str]) -> str:
    octets = f"{match[1]}{match[2]}".split(".")
    return f"{match[1]}0" if all(int(octet) <= _LARGEST_OCTET for octet in octets) else match[0]


def _truncate_ipv6(run: str) -> str:
    """Return a run of digits, colons and dots with its address truncated; punctuation of the sentence may end it."""
    if run.count(":") < _LEAST_COLONS:
        return run
    for candidate in (run, run.rstrip("."), run.rstrip(".:"), run.lstrip(".:"), run.strip(".:"), run[1:].rstrip(".:")):
        try:
            address = IPv6Address(candidate)
        except AddressValueError:
            continue
        return run.replace(candidate, str(_network_of(address)), 1)
    return DROPPED if ("::" in run and re.search("[0-9]", run)) or run.count(":") >= _MOST_COLONS else run


def _network_of(address: IPv6Address) -> IPv6Address | str:
    """Return the first 48 bits; of an address that embeds an IPv4 address (mapped or 6to4), its /24 of that."""
    if address.ipv4_mapped:
        return f"::ffff:{truncated(str(address.ipv4_mapped))}"
    dropped_bits = 88 if address.sixtofour else 80
    return IPv6Address(int(address) >> dropped_bits << dropped_bits)
