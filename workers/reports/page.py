"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workers.reports import charts
from workers.reports.words import Language, decimal, duration, long_date, short_day, word

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TILES = ("received", "done", "skipped", "dead", "open", "toReview")
_COMPARED = frozenset({"received", "done", "skipped", "dead"})
_BARS = ("byCategory", "byUrgency", "bySentiment", "byLanguage", "byRule", "bySkipReason")
_OURS = frozenset({"byCategory", "byUrgency", "bySentiment", "byLanguage", "bySkipReason"})
_MOST_BARS = 10
_ORDERED = {
    "byUrgency": ("high", "medium", "low"),
    "bySentiment": ("positive", "neutral", "negative"),
}


def render(report: Mapping[str, Any], language: Language) -> str:
    """The HTML page of a report (its JSON) in a language."""
    summary, health = report["emailSummary"], report["systemHealth"]

    def say(key: str) -> str:
        return word(key, language)

    return _ENVIRONMENT.get_template("page.html").render(
        report=report,
        summary=summary,
        health=health,
        language=language,
        date=long_date(date.fromisoformat(report["date"]), language),
        written=_written(report, language),
        tiles=_tiles(summary, language),
        comparison=say("before") if summary["comparison"]["mean"] else say("no_before"),
        mail_cards=_mail_cards(report, language, say),
        health_cards=_health_cards(health, say),
        w=say,
        n=lambda value: decimal(value, language, 0),
        d=lambda seconds: duration(seconds, language),
    )


def _tiles(summary: Mapping[str, Any], language: Language) -> list[dict[str, Any]]:
    means = summary["comparison"]["mean"]
    return [
        {
            "name": word(name, language),
            "value": decimal(summary[name], language, 0),
            "before": f"Ø {decimal(means[name], language)}" if means and name in _COMPARED else "",
            "bad": name == "dead" and summary[name] > 0,
        }
        for name in _TILES
    ]


def _mail_cards(
    report: Mapping[str, Any], language: Language, say: Callable[[str], str]
) -> list[dict[str, Any]]:
    summary = report["emailSummary"]
    cards = []
    if sum(summary["byHour"]):
        hours = [str(hour) for hour in range(24)]
        series = charts.Series(say("received"), summary["byHour"])
        cards.append(_card(say("byHour"), charts.columns(say("byHour"), hours, series, every=3)))
    days = [*summary["comparison"]["days"], {"date": report["date"], "received": summary["received"]}]
    if len(days) > 1:
        labels = [short_day(date.fromisoformat(day["date"]), language) for day in days]
        series = charts.Series(say("received"), [day["received"] for day in days])
        cards.append(_card(say("lastDays"), charts.columns(say("lastDays"), labels, series)))
    for name in _BARS:
        rows = _rows(name, summary[name], say)
        if rows:
            cards.append(_card(say(name), charts.bars(say(name), rows)))
    domains = [(item["domain"], item["count"]) for item in summary["topDomains"]]
    if domains:
        cards.append(_card(say("topDomains"), charts.bars(say("topDomains"), domains, "b")))
    return cards


def _rows(name: str, counts: Mapping[str, int], say: Callable[[str], str]) -> list[tuple[str, float]]:
    """Ours are translated; levels keep their order, all else goes by size."""
    keys: Sequence[str] = [key for key in _ORDERED.get(name, ()) if key in counts] or list(counts)
    return [(say(key) if name in _OURS else key, counts[key]) for key in keys[:_MOST_BARS]]


def _health_cards(health: Mapping[str, Any], say: Callable[[str], str]) -> list[dict[str, Any]]:
    course, slot = health["course"], timedelta(minutes=health["slotMinutes"])
    count = len(course["waiting"])
    labels = [str(int(index * slot / timedelta(hours=1))) for index in range(count)]
    every = int(timedelta(hours=3) / slot)
    drawn = (("queue", "waiting", 1.0), ("oldest", "oldestAgeSeconds", 1.0), ("memory", "memoryBytes", 1e6))
    return [
        _card(
            say(title),
            charts.lines(
                say(title), labels, [charts.Series(say(title), _values(course[name], unit))], every=every
            ),
        )
        for title, name, unit in drawn
    ]


def _values(course: Sequence[float | None], unit: float) -> list[float]:
    return [float("nan") if value is None else value / unit for value in course]


def _card(title: str, chart: str) -> dict[str, Any]:
    return {"title": title, "chart": Markup(chart)}  # noqa: S704 its texts were escaped where it was drawn


def _written(report: Mapping[str, Any], language: Language) -> str:
    at = datetime.fromisoformat(report["writtenAt"]).astimezone(ZoneInfo(report["timezone"]))
    return f"{long_date(at.date(), language)}, {at:%H:%M}"
