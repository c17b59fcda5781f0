"""Which pages a key of Jitsu allows to send events."""

import pytest

from eventscache.access.api_keys import ApiKey

CASES = [
    ("localhost", "http://localhost:3000", True),
    ("localhost", "http://localhost", True),
    ("localhost", "http://localhost.evil", False),
    ("*.shop.example", "https://a.shop.example:8443", True),
    ("*.shop.example", "https://shop.example", False),
    ("*shop.example", "https://shop.example", True),
    ("*shop.example", "https://evilshop.example", True),
    ("https://shop.example", "https://shop.example", False),
    ("shop.example:8443", "https://shop.example:8443", False),
    ("shop.example", "https://shop.example:8443", True),
    ("shop.example", "https://shop.example:", True),
    ("shop*", "https://shop.example:1", True),
    ("shop*", "https://a.shop.example", False),
    ("https://shop*", "https://shop.example", False),
    ("*", "https://any.example", True),
    ("*", "null", True),
    ("null", "null", True),
    ("a*.example", "https://ab.example", False),
    ("a*.example", "https://a*.example", True),
    ("*b*", "https://abc", False),
    ("*b*", "https://ab*", True),
    ("[ab].example", "https://a.example", False),
    ("?.example", "https://a.example", False),
    ("[::1]", "http://[::1]:3000", True),
    ("[::1]", "http://[::1]", True),
    ("Shop.example", "https://shop.example", False),
    ("", "https://shop.example", False),
]


@pytest.mark.parametrize(("pattern", "origin", "allowed"), CASES)
def test_scheme_and_port_are_cut_from_the_origin_and_a_star_stands_at_an_end_only(
    pattern: str, origin: str, allowed: bool
) -> None:
    assert ApiKey("id", "secret", origins=(pattern,)).allows(origin) is allowed
    assert ApiKey("id", "secret", origins=("other.example", pattern)).allows(origin) is allowed


def test_without_origins_every_page_may_send() -> None:
    assert ApiKey("id", "secret").allows("https://any.example")
