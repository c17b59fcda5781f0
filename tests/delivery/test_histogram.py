"""Histograms of times."""

from eventscache.delivery.histogram import Histogram


def test_a_time_counts_at_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((10, 100))
    for time_us in (0, 10, 11, 100, 101, 5000):
        histogram.add(time_us)
    histogram.add(50, 3)
    assert histogram.counts == [2, 5, 2]
    assert histogram.sum_us == 5222 + 150
