"""The JSON that webhooks take."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from eventscache.alerts.wording import Message

_SLACK_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})


def slack_body(message: Message) -> bytes:
    """Return `{"text": ...}`, as incoming webhooks of Slack and of those like it take it.

    What comes from outside is code, in which there is no markup: Slack knows it by `&`, `<` and `>`, and a backtick
    would end it.
    """
    lines = [f"*{message.title}*{f' `{_slack(message.id)}`' if message.id else ''}", *message.facts]
    if message.quote:
        lines.append(f"```{_slack(message.quote)}```")
    if message.address:
        lines.append(f"<{_slack(message.address)}|Open>")
    return json.dumps({"text": "\n".join(lines)}).encode()


def _slack(text: str) -> str:
    return text.translate(_SLACK_ESCAPES)


def teams_body(message: Message) -> bytes:
    """Return a message with an Adaptive Card, as workflows of Microsoft Teams take it.

    All text is in runs, in which there is no Markdown.
    """
    title = [_run(message.title, weight="Bolder")]
    if message.id:
        title += [_run(" "), _run(message.id, fontType="Monospace")]
    body = [_block(title), *(_block([_run(fact)]) for fact in message.facts)]
    if message.quote:
        body.append(_block([_run(message.quote, fontType="Monospace")]))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if message.address:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": message.address}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def _block(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": runs}


def _run(text: str, **look: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **look}


FORMATS: Final[Mapping[str, Callable[[Message], bytes]]] = {"slack": slack_body, "teams": teams_body}
"""By the names that `eventscache.alerts.format` takes."""
