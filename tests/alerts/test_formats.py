"""What webhooks get: nothing from outside can call people, be markup, or hide."""

import json
from typing import Any

import pytest

from eventscache.alerts.formats import slack_body, teams_body
from eventscache.alerts.rules import Alert, Rule
from eventscache.alerts.wording import QUOTED_CHARACTERS, Message, message_of, shown
from eventscache.stream import Namespace, Stream

LINK = "https://events.example.org/cache"
HOSTILE = "<!here> <@U1> @channel ``` *b* [x](http://evil) <at>all</at> &amp; \u202egnp\x1b[31m\x00 a\nb"


def alert(stream_id: str = "shop", quote: str = "") -> Alert:
    return Alert(Rule.NEW_ERROR_GROUP, b"", "New", Stream(Namespace.DESTINATION, stream_id), ("1 error",), quote)


def slack(message: Message) -> str:
    text: str = json.loads(slack_body(message))["text"]
    return text


def test_slack_gets_a_text() -> None:
    text = slack(message_of(alert(quote="no such column"), LINK))
    assert text == f"*New* `shop`\n1 error\n```no such column```\n<{LINK}/ui/#tab=processed&amp;id=shop|Open>"
    assert slack(message_of(Alert(Rule.LEFT_OUT, b"", "7 left out"), "")) == "*7 left out*"


@pytest.mark.parametrize("place", ["stream_id", "quote"])
def test_nothing_from_outside_is_markup_for_slack(place: str) -> None:
    text = slack(message_of(alert(**{place: HOSTILE}), ""))
    assert "<" not in text
    assert ">" not in text
    assert "@" not in text
    assert "&amp;amp;" in text
    # Code ends where we end it.
    assert text.count("`") == (2 if place == "stream_id" else 8)
    assert text.isprintable() or set(text) - {"\n"} <= {character for character in text if character.isprintable()}


def texts(card: Any) -> list[str]:
    return [run["text"] for block in card["body"] for run in block["inlines"]]


def test_teams_gets_a_card_whose_texts_are_runs_without_markdown() -> None:
    body = json.loads(teams_body(message_of(alert(HOSTILE, HOSTILE), LINK)))
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert texts(card) == ["New", " ", shown(HOSTILE), "1 error", shown(HOSTILE)]
    assert card["actions"][0]["url"].startswith(f"{LINK}/ui/#tab=processed&id=%3C%21here%3E")
    without = json.loads(teams_body(message_of(Alert(Rule.LEFT_OUT, b"", "7 left out"), "")))
    assert "actions" not in without["attachments"][0]["content"]


def test_a_text_is_shown_on_one_line_with_escapes_and_cut() -> None:
    assert shown("a\n\tb\u202e\x00c@d") == "a b\\u202e\\x00c＠d"  # noqa: RUF001 - the wide one
    assert shown("x" * QUOTED_CHARACTERS) == "x" * QUOTED_CHARACTERS
    assert shown("x" * 100_000) == "x" * (QUOTED_CHARACTERS - 1) + "…"
    assert len(shown("\x00" * 100_000)) == QUOTED_CHARACTERS
    assert shown("\ud800") == "\\ud800"


def test_the_link_leads_to_the_stream_on_the_page() -> None:
    token = Alert(Rule.SILENT, b"", "t", Stream(Namespace.TOKEN, "a b&c=d|e>"))
    assert message_of(token, LINK).address == f"{LINK}/ui/#tab=incoming&id=a+b%26c%3Dd%7Ce%3E"
    assert message_of(Alert(Rule.LEFT_OUT, b"", "t"), LINK).address == f"{LINK}/ui/"
    assert message_of(token, "").address == ""
