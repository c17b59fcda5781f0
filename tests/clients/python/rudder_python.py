"""RudderStack's client for Python. Reads what it is to send from the standard input."""

import json
import logging
import sys

from rudderstack.analytics.client import Client

given = json.load(sys.stdin)
logging.basicConfig(level=logging.DEBUG)
client = Client(given["key"], host=given["host"] + given["path"], **given["options"])
for event in given["events"]:
    client.track("user-7", event["name"], event["properties"])
client.flush()
client.join()
