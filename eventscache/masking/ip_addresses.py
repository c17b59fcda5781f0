"""IP addresses in texts, cut to the network they belong to."""

import re
from ipaddress import AddressValueError, IPv6Address

_IPV4 = re.compile(r"(?<![0-9])(?<![0-9]\.)((?:[0-9]{1,3}\.){3})([0-9]{1,3})(?![0-9]|\.[0-9])")
_IPV6_CHARACTERS = re.compile(r"(?<![A-Za-z0-9_])[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*+")
_ONE_ADDRESS = re.compile(r'"?\[?[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]?(?::[0-9]{1,5})?(?:/[0-9]{1,3})?"?|unknown')
_BETWEEN = re.compile(r"[\s,;]+")
_LARGEST_OCTET = 255
_COLONS, _MOST_COLONS = 2, 7  # in an IPv6 address
_HIDDEN = "***"


def truncated(text: str) -> str:
    """Return a text in which every IPv4 address is cut to its /24 and every IPv6 address to its /48.

    What looks like an IPv6 address and is none, as two that run into each other, is hidden.
    """
    if ":" in text:
        text = _IPV6_CHARACTERS.sub(lambda match: _shorter(match[0]), text)
    return _IPV4.sub(_network, text) if "." in text else text


def truncated_if_alone(text: str) -> str:
    """Do the same if the text is an address and nothing else, or a list of them, maybe with ports."""
    parts = [part for part in _BETWEEN.split(text) if part]
    return truncated(text) if all(map(_ONE_ADDRESS.fullmatch, parts)) else text


def _network(match: re.Match[str]) -> str:
    octets = f"{match[1]}{match[2]}".split(".")
    return f"{match[1]}0" if all(int(octet) <= _LARGEST_OCTET for octet in octets) else match[0]


def _shorter(run: str) -> str:
    """Return a run of digits, colons and dots with the address in it cut; it may end with a sentence's own marks."""
    if run.count(":") < _COLONS:
        return run
    for candidate in (run, run.rstrip("."), run.rstrip(".:"), run.lstrip(".:"), run.strip(".:"), run[1:].rstrip(".:")):
        try:
            address = IPv6Address(candidate)
        except AddressValueError:
            continue
        return run.replace(candidate, str(_prefix(address)), 1)
    return _HIDDEN if ("::" in run and re.search("[0-9]", run)) or run.count(":") >= _MOST_COLONS else run


def _prefix(address: IPv6Address) -> IPv6Address | str:
    """Return the first 48 bits; of an address with a whole IPv4 address in front or behind, those of its /24."""
    if address.ipv4_mapped:
        return f"::ffff:{truncated(str(address.ipv4_mapped))}"
    unknown_bits = 88 if address.sixtofour else 80
    return IPv6Address(int(address) >> unknown_bits << unknown_bits)
