"""The address of a running sidecar."""

import pytest

from eventscache.address import Address
from eventscache.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "address", "shown"),
    [
        (
            "http://127.0.0.1:8095",
            ("http", "127.0.0.1:8095", "127.0.0.1", 8095, ""),
            "http://127.0.0.1:8095",
        ),
        ("https://example.com/", ("https", "example.com", "example.com", 443, ""), "https://example.com"),
        ("http://[::1]:7/a/b//", ("http", "[::1]:7", "::1", 7, "/a/b"), "http://[::1]:7/a/b"),
    ],
)
def test_a_url_is_an_address_to_which_routes_can_be_added(
    url: str, address: tuple[str, str, str, int, str], shown: str
) -> None:
    assert Address.parse(url) == address
    assert Address.parse(url).url == shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "it is http://HOST:PORT"),
        ("127.0.0.1:8095", "it is http://HOST:PORT"),
        ("ftp://a", "it is http://HOST:PORT"),
        ("http://a:99999", "it is http://HOST:PORT"),
        ("http://[::1", "it is http://HOST:PORT"),
        ("http://a/?token=the-secret", "it is http://HOST:PORT"),
        ("http://user:the-secret@a", "no user and no password"),
        ("http://a/ü", "no URL can hold"),
        ("http://a/x y", "no URL can hold"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_secret(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as fault:
        Address.parse(url)
    assert "the-secret" not in str(fault.value)
