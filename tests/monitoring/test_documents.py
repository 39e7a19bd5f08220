"""Dashboard, rules and documentation name the metrics that are exported, and no others."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dirigent.monitoring.catalogue import CATALOGUE, SERIES
from tests.monitoring.promql import read

_FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
_RULES = _FOLDER / "alert_rules.yml"
_EXPRESSION = re.compile(r"^ +expr: (.+)$", re.MULTILINE)
_ADDED_BY_THE_SCRAPER = {"instance", "job"}
_OWN_SERIES = {"up"}
"""What every scraper adds by itself."""


def _panels() -> list[dict[str, Any]]:
    document = json.loads((_FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    panels: list[dict[str, Any]] = document["panels"]
    return panels


def _dashboard() -> list[str]:
    return [target["expr"] for panel in _panels() for target in panel.get("targets", ())]


def _rules() -> list[str]:
    return _EXPRESSION.findall(_RULES.read_text(encoding="utf-8"))


def _labels_of(series: str) -> set[str]:
    for metric in CATALOGUE:
        if series in metric.series:
            return {*metric.labels, *(["le"] if metric.kind == "histogram" else [])}
    return set()


def _plain(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m").replace('"$instance"', '".*"')


@pytest.mark.parametrize("expression", [*_dashboard(), *_rules()])
def test_every_expression_reads_series_that_exist_by_labels_they_have(expression: str) -> None:
    reading = read(_plain(expression))
    assert reading.series
    known: set[str] = set(_ADDED_BY_THE_SCRAPER)
    for series, labels in reading.series:
        assert series in SERIES | _OWN_SERIES
        assert labels <= _labels_of(series) | _ADDED_BY_THE_SCRAPER
        known |= _labels_of(series)
    assert reading.grouped_by <= known


@pytest.mark.parametrize(
    "expression",
    [
        "rate(dirigent_no_such_total[5m])",
        'dirigent_equity{colour="red"}',
        "sum by (colour) (dirigent_equity)",
    ],
)
def test_an_expression_over_something_that_does_not_exist_would_be_noticed(expression: str) -> None:
    with pytest.raises(AssertionError):
        test_every_expression_reads_series_that_exist_by_labels_they_have(expression)


@pytest.mark.parametrize("text", ["rate(dirigent_ticks_total[5m]", "dirigent_ticks_total ? 1"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"PromQL|brackets"):
        read(text)


def test_the_dashboard_shows_every_metric() -> None:
    read_there = {series for expression in _dashboard() for series, _ in read(_plain(expression)).series}
    assert [metric.name for metric in CATALOGUE if read_there.isdisjoint(metric.series)] == []


def test_the_panels_of_the_dashboard_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = _panels()
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert taken.isdisjoint(cells)
        taken |= cells


def test_every_metric_is_documented_with_its_labels_and_its_meaning() -> None:
    page = (_FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(dirigent_\w+)` \| (\w+) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [
        (
            metric.series[0] if metric.kind == "counter" else metric.name,
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels) or "-",
            metric.meaning,
        )
        for metric in CATALOGUE
    ]


def test_every_rule_says_how_bad_it_is_and_what_it_means() -> None:
    blocks = _RULES.read_text(encoding="utf-8").split("- alert: ")[1:]
    assert len(blocks) == len(_rules())
    for block in blocks:
        assert re.search(r"severity: (warning|critical)", block)
        assert "summary: " in block


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_takes_the_rules() -> None:
    checked = subprocess.run(
        ["promtool", "check", "rules", str(_RULES)], capture_output=True, text=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
