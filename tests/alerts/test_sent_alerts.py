"""How many messages an hour takes: each one once, and no more than sixty of all, over all processes."""

from eventscache.alerts.counts import AlertCounts
from eventscache.alerts.kept_state import KeptState
from eventscache.alerts.rules import Alert, Rule
from eventscache.alerts.sent_alerts import MOST_PER_HOUR, SentAlerts

NOW_S = 1_700_000_000
HOUR = 3600


def alerts(count: int, rule: Rule = Rule.SILENT) -> list[Alert]:
    return [Alert(rule, b"%d" % number, "") for number in range(count)]


def sent(state: KeptState, counts: AlertCounts | None = None) -> SentAlerts:
    return SentAlerts(state, counts or AlertCounts())


def test_the_same_alert_is_sent_once_an_hour_by_whichever_process() -> None:
    state, counts = KeptState({}), AlertCounts()
    assert len(sent(state).take(alerts(1), NOW_S)) == 1
    assert sent(state, counts).take(alerts(1), NOW_S + HOUR - 1) == []
    assert counts.suppressed == {Rule.SILENT: 1}
    assert len(sent(state).take(alerts(1), NOW_S + HOUR)) == 1


def test_beyond_sixty_the_others_are_left_out_and_reported_when_the_hour_is_over() -> None:
    state, counts = KeptState({}), AlertCounts()
    assert len(sent(state, counts).take(alerts(MOST_PER_HOUR + 5), NOW_S)) == MOST_PER_HOUR
    assert sent(state, counts).take(alerts(MOST_PER_HOUR + 7), NOW_S + 10) == []
    assert counts.suppressed[Rule.SILENT] == 5 + MOST_PER_HOUR + 7
    assert sent(state, counts).take([], NOW_S + HOUR - 1) == []
    (report,) = sent(state, counts).take([], NOW_S + HOUR)
    assert (report.rule, report.title) == (Rule.LEFT_OUT, "7 alerts were left out")
    assert sent(state, counts).take([], NOW_S + HOUR) == []
    # It counts as one of the next sixty.
    assert len(sent(state, counts).take(alerts(MOST_PER_HOUR), NOW_S + HOUR)) == MOST_PER_HOUR - 1


def test_the_clock_of_another_machine_that_is_ahead_mutes_nothing_for_longer() -> None:
    state = KeptState({})
    assert len(sent(state).take(alerts(1), NOW_S + 60)) == 1
    assert sent(state).take(alerts(1), NOW_S) == []
    assert len(sent(KeptState({b"sent:x": b"9" * 15})).take(alerts(1), NOW_S)) == 1


def test_what_was_sent_is_forgotten_after_an_hour() -> None:
    state = KeptState({})
    sent(state).take(alerts(5), NOW_S)
    assert len([*state.under(b"sent:")]) == 5
    sent(state).take([], NOW_S + HOUR)
    assert [*state.under(b"sent:")] == []
