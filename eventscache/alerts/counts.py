"""What became of the alerts of this process, for the metrics."""

from collections import Counter

from eventscache.alerts.rules import Rule


class AlertCounts:
    """Counts by rule since the start. Each alert is sent, failed or suppressed, or waits."""

    def __init__(self) -> None:
        self.sent: Counter[Rule] = Counter()
        self.failed: Counter[Rule] = Counter()
        self.suppressed: Counter[Rule] = Counter()
