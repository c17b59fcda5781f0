"""IP addresses in texts, truncated to their network."""

import re
import socket
import struct

from eventscache.masking import DROPPED

_IPV4 = re.compile(r"(?<![0-9])(?<![0-9]\.)((?:[0-9]{1,3}\.){3})([0-9]{1,3})(?![0-9]|\.[0-9])")
# A run is taken whole, with or without a colon: where a pattern that wants one fails, it would try again at each dot.
_RUN = re.compile(r"((?<![A-Za-z0-9_])[0-9A-Fa-f:.]++)")
_ONE_ADDRESS = re.compile(r'"?+\[?+[0-9A-Fa-f:.]++(?:%[\w.-]++)?+\]?+(?::[0-9]{1,5}+)?+(?:/[0-9]{1,3}+)?+"?+|unknown')
_SEPARATORS = re.compile(r"[\s,;]++")
_DIGITS = frozenset("0123456789")
_LARGEST_OCTET = 255
_LEAST_COLONS, _MOST_COLONS = 2, 7  # in an IPv6 address
_LONGEST_IPV6 = len("0000:0000:0000:0000:0000:0000:255.255.255.255")
_WORDS = struct.Struct("!8H")
_6TO4 = 0x2002


def truncated(text: str) -> str:
    """Return a text in which every IPv4 address is truncated to its /24 and every IPv6 address to its /48.

    What looks like an IPv6 address and is none, such as two without a gap between them, is dropped.
    """
    if text.count(":") >= _LEAST_COLONS:
        pieces = _RUN.split(text)
        pieces[1::2] = [_truncate_ipv6(run) if ":" in run else run for run in pieces[1::2]]
        text = "".join(pieces)
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
    colons = run.count(":")
    if colons < _LEAST_COLONS:
        return run
    if len(run.strip(".:")) <= _LONGEST_IPV6:
        for candidate in _candidates(run):
            if network := _network_of(candidate):
                return run.replace(candidate, network, 1)
    return DROPPED if ("::" in run and not _DIGITS.isdisjoint(run)) or colons >= _MOST_COLONS else run


def _candidates(run: str) -> tuple[str, ...]:
    """Return the parts of a run that may be the address in it, the likeliest first."""
    if run[0] not in ".:" and run[-1] not in ".:":
        return (run, run[1:])
    return (run, run.rstrip("."), run.rstrip(".:"), run.lstrip(".:"), run.strip(".:"), run[1:].rstrip(".:"))


def _network_of(text: str) -> str:
    """Return the first 48 bits of an IPv6 address, or nothing if it is none.

    Of an address that embeds an IPv4 address (mapped or 6to4), return its /24 of that.
    """
    try:
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return ""
    words = _WORDS.unpack(packed)
    if words[:6] == (0, 0, 0, 0, 0, 0xFFFF):
        return f"::ffff:{packed[12]}.{packed[13]}.{packed[14]}.0"
    first, second, third = words[:3]
    if first == _6TO4:
        third &= 0xFF00
    if third:
        return f"{first:x}:{second:x}:{third:x}::"
    return f"{first:x}:{second:x}::" if second else f"{first:x}::" if first else "::"
