"""What an original is about, in a few words."""

import pytest

from eventscache.tail.summary import cut, summary


@pytest.mark.parametrize(
    ("original", "words"),
    [
        (b"", ""),
        (b"{}", ""),
        (b"broken", ""),
        (b'{"event_type":"x","source_ip":"1.2.3.4"}', ""),
        (b'{"n":12345678901234567890,"price":1.10}', "n=12345678901234567890 price=1.10"),
        (b'{"z":1,"url":"/x","user":{"email":"a@b.c"}}', "url=/x email=a@b.c z=1"),
        (b'{"a":"","b":null,"c":[1],"d":false,"e":"\\u0026"}', "d=false e=&"),
        (b'{"a":{"b":{"c":{"d":1}}}}', ""),
        (b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7}', "a=1 b=2 c=3 d=4 e=5 f=6"),
    ],
)
def test_pairs_are_shown_as_they_were_sent(original: bytes, words: str) -> None:
    assert summary(original) == words


def test_a_long_value_is_cut() -> None:
    assert summary(b'{"a":"%b"}' % (b"x" * 1000)) == "a=" + "x" * 79 + "…"
    assert cut("abc", 3) == "abc"
