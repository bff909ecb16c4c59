"""Numbers and times as people read them. charts.js writes the same units on its axes."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from analytics.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

NOTHING: Final = "\N{EN DASH}"
_NS_PER_US: Final = 1000
_NS_PER_DAY: Final = 24 * NS_PER_HOUR
_SENSOR_UNITS: Final = {"gib": "GiB", "watts": "W", "celsius": "°C", "mhz": "MHz"}
_LARGE: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def duration(nanoseconds: float | None) -> str:
    """Return three figures of the unit that fits: 812 ms, 1.87 s; from a minute on two units: 2 min 5 s."""
    if nanoseconds is None:
        return NOTHING
    if nanoseconds >= NS_PER_MINUTE - NS_PER_SECOND / 2:
        return _long(round(nanoseconds / NS_PER_SECOND))
    for unit_ns, name in ((NS_PER_SECOND, "s"), (NS_PER_MS, "ms"), (_NS_PER_US, "µs")):
        if nanoseconds >= unit_ns:
            return f"{_figures(nanoseconds / unit_ns)} {name}"
    return f"{nanoseconds:.0f} ns"


def count(number: float | None) -> str:
    """Return a whole number with commas, from a hundred thousand on three figures: 88,102, 1.23 M."""
    if number is None:
        return NOTHING
    for size, name in _LARGE if abs(number) >= 100_000 else ():  # noqa: PLR2004  as documented
        if abs(number) >= size:
            return f"{_figures(number / size)} {name}"
    return f"{number:,.0f}" if number == int(number) else _figures(number)


def share(part: float | None) -> str:
    """Return a share of 0 to 1 in percent: 1.2%, and <0.1% for what is hardly anything."""
    if part is None:
        return NOTHING
    percent = 100 * part
    if 0 < percent < 0.1:  # noqa: PLR2004  what one digit can show
        return "<0.1%"
    return f"{percent:.0f}%" if percent in {0, 100} else f"{percent:.1f}%"


def rate(per_second: float) -> str:
    """Return how many a second, a minute or an hour, whichever makes a number that one can imagine: 12/s, 3/h."""
    for times, name in ((1, "s"), (60, "min")):
        if per_second * times >= 0.1:  # noqa: PLR2004  six of the next unit
            return f"{count(per_second * times)}/{name}"
    return f"{count(per_second * 3600)}/h"


def money(usd: Decimal | float | None) -> str:
    """Return dollars to the cent, and what is less than ten with three figures: $12.40, $0.000213."""
    if usd is None:
        return NOTHING
    amount = Decimal(usd)
    if amount == 0 or abs(amount) >= 10:  # noqa: PLR2004  as documented
        return f"${amount:,.2f}"
    digits = max(2, 2 - amount.adjusted())
    return f"${amount:.{digits}f}"


def reading(number: float | None, unit: str = "") -> str:
    """Return a sensor's reading with its unit: 71.5 GiB, 312 W."""
    return NOTHING if number is None else f"{_figures(number)} {unit}".strip()


def in_unit(value: float | None, unit: str) -> str:
    """Return a value of a chart with its unit, one of charts.Unit."""
    if value is None:
        return NOTHING
    match unit:
        case "ms":
            return duration(value * NS_PER_MS)
        case "count":
            return count(value)
        case "per_second":
            return f"{count(value)}/s"
        case "percent":
            return f"{_figures(value)}%"
        case "usd":
            return money(value)
    return reading(value, _SENSOR_UNITS[unit])


def aware(moment: int | datetime) -> datetime:
    """Return nanoseconds since 1970 as a time of UTC, cut to microseconds; a time as it is."""
    if isinstance(moment, datetime):
        return moment
    seconds, rest_ns = divmod(moment, NS_PER_SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // _NS_PER_US)


def _long(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(at for at, (number, _) in enumerate(units) if number)
    return " ".join(f"{number} {name}" for number, name in units[first : first + 2] if number)


def _figures(number: float) -> str:
    """Return three figures, without zeros at the end of a fraction: 1.5, 37.2, 412; of small ones two: 0.0034."""
    size = abs(number)
    if 0 < size < 0.01:  # noqa: PLR2004  what two digits can't show
        return f"{number:.{1 - Decimal(size).adjusted()}f}"
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2  # noqa: PLR2004  where rounding makes one figure more
    rounded = Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)  # as browsers round
    text = f"{rounded:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
