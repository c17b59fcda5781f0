"""Charts as SVG: bars of rates, and curves of latencies."""

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from benchmarks.cases import Contest, Latency

_WIDTH = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 170, 130, 34, 44
_BAR, _GAP = 20, 26
_CURVES_HEIGHT = 380
_COLOURS = {"eventscache": "#2f6fb3", "bare aiohttp": "#7a8793", "naive": "#b9803c"}
_OTHER_COLOURS = ("#3f8f5f", "#8a5a9e")
_STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.faint{fill:#666}.grid{stroke:#ddd}"
_SHARES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
_CURVE_POINTS = 200


def _colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each contender, the same one wherever it appears."""
    others = itertools.cycle(_OTHER_COLOURS)
    return {name: _COLOURS.get(name) or next(others) for name in names}


def _document(height: float, parts: Iterable[str]) -> str:
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:g}" '
        f'viewBox="0 0 {_WIDTH} {height:g}"><style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
    )
    return "\n".join([opening, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, css: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, css: str = "grid") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}" stroke="#222"/>'


def throughput(contests: Sequence[Contest]) -> str:
    """Draw each contest as bars of its medians, to a scale of its own; a thin line spans the rounds."""
    parts: list[str] = []
    y = 10.0
    for contest in contests:
        y += _GAP
        parts.append(_text(10, y, f"{contest.name}, {contest.unit} a second", "title"))
        scale = (_WIDTH - _LEFT - _RIGHT) / max(max(rates) for rates in contest.rates.values())
        colours = _colours(list(contest.rates))
        for name, rates in contest.rates.items():
            y += 8
            median = statistics.median(rates)
            middle = y + _BAR / 2
            parts.append(_text(_LEFT - 8, middle + 4, name, anchor="end"))
            bar = f'width="{max(1.0, median * scale):.1f}" height="{_BAR}" fill="{colours[name]}"'
            parts.append(f'<rect x="{_LEFT}" y="{y:.1f}" {bar}/>')
            parts.append(_line(_LEFT + min(rates) * scale, middle, _LEFT + max(rates) * scale, middle, "range"))
            parts.append(_text(_LEFT + max(rates) * scale + 8, middle + 4, f"{median:,.0f}", "faint"))
            y += _BAR
    return _document(y + 20, parts)


def _nines(share: float) -> float:
    """Return the position of a share on an axis on which each further nine takes the same length."""
    return -math.log10(1 - share)


def latency(latencies: Sequence[Latency]) -> str:
    """Draw latency by the share of responses that were no slower; both axes are logarithmic."""
    parts: list[str] = []
    for number, each in enumerate(latencies):
        parts += _curves(each, number * _CURVES_HEIGHT)
    return _document(max(1, len(latencies)) * _CURVES_HEIGHT, parts)


def _curves(latency: Latency, top: float) -> list[str]:
    left, right, bottom = 70, _WIDTH - _RIGHT, top + _CURVES_HEIGHT - _BOTTOM
    most = max(len(seconds) for seconds in latency.seconds.values())
    last = _nines(max(0.5, 1 - 1 / max(2, most)))
    curves = {name: _points(seconds, last) for name, seconds in latency.seconds.items()}
    times = [time for points in curves.values() for _, time in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    high = max(high, low + 1)

    def x(nines: float) -> float:
        return left + nines / last * (right - left)

    def y(seconds: float) -> float:
        return bottom - (math.log10(seconds) - low) / (high - low) * (bottom - top - _TOP)

    parts = [_text(10, top + 22, f"{latency.name}: time in ms by share of the requests", "title")]
    for power in range(low, high + 1):
        parts += [_line(left, y(10.0**power), right, y(10.0**power))]
        parts += [_text(left - 8, y(10.0**power) + 4, f"{10.0 ** (power + 3):g}", "faint", "end")]
    for share in _SHARES:
        if (nines := _nines(share)) <= last:
            parts += [_line(x(nines), top + _TOP, x(nines), bottom)]
            parts += [_text(x(nines), bottom + 18, f"{share * 100:g} %", "faint", "middle")]
    colours = _colours(list(curves))
    for name, points in curves.items():
        path = " ".join(f"{x(nines):.1f},{y(time):.1f}" for nines, time in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke-width="2" stroke="{colours[name]}"/>')
    ends = sorted((y(points[-1][1]), name) for name, points in curves.items())
    previous = -math.inf
    for height, name in ends:
        previous = max(height, previous + 15)
        parts.append(_text(right + 6, previous + 4, name))
    return parts


def _points(seconds: Sequence[float], last: float) -> list[tuple[float, float]]:
    """Return nines and times, evenly spaced by nines."""
    points = []
    for step in range(_CURVE_POINTS + 1):
        nines = last * step / _CURVE_POINTS
        index = min(len(seconds) - 1, int((1 - 10**-nines) * len(seconds)))
        points.append((nines, seconds[index]))
    return points
