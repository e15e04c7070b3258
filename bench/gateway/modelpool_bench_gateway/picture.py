"""Draws the figures: one SVG picture of bars, readable on a light and a dark page. Pure: values in, text out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from .measures import ALL, Measure, Round, figure
from .page import number

_PANELS: Final = (
    ("cpu per request, 32 connections", "Processor time per request"),
    ("cpu per chunk, paced", "Processor time per chunk, 200 paced streams"),
    ("requests/s, 32 connections", "Requests a second, 32 connections"),
    ("chunks/s, fast", "Chunks a second, 128 fast streams"),
    ("added p50, 200 requests/s", "Added to the median answer, 200 requests a second"),
    ("memory with 1,000 streams", "Memory with 1,000 streams"),
)
_UNITS: Final = {"us": "\N{MICRO SIGN}s", "1/s": "/s", "MiB": "MiB"}
_WIDTH: Final = 976
_COLUMN: Final = 460
_ROW: Final = 24
_NAMES: Final = 148
_BAR: Final = 204
_TOP: Final = 56
_CLIP: Final = 4.0
"""A bar this many times the second longest is cut: one slow gateway must not flatten the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    name: str
    value: float
    length: float
    cut: bool


def draw(
    rounds: Mapping[str, Sequence[Round]],
    direct: Sequence[Round],
    versions: Mapping[str, str],
    told: str,
    *,
    wall_clock: bool = True,
) -> str:
    """The picture of medians as text; `told` says where they were measured.

    Without `wall_clock` it shows only what says something on a busy machine.
    """
    measures = {measure.name: measure for measure in ALL}
    panels = [
        (title, measures[name], bars)
        for name, title in _PANELS
        if (wall_clock or measures[name].is_steady) and (bars := _bars(measures[name], rounds, direct))
    ]  # fmt: skip
    tall = 48 + len(rounds) * _ROW
    height = _TOP + tall * ((len(panels) + 1) // 2) + 24
    parts = [_head(height, told)]
    for index, (title, measure, bars) in enumerate(panels):
        parts.extend(
            _panel(title, measure, bars, versions, x=16 + index % 2 * (_COLUMN + 24), y=_TOP + index // 2 * tall)
        )
    return "\n".join([*parts, "</svg>", ""])


def _bars(measure: Measure, rounds: Mapping[str, Sequence[Round]], direct: Sequence[Round]) -> list[_Bar]:
    values = {name: one.median for name, mine in rounds.items() if (one := figure(measure, mine, direct)) is not None}
    if not values:
        return []
    ordered = sorted(values.values())
    longest = ordered[-1] if len(ordered) < 2 else min(ordered[-1], ordered[-2] * _CLIP)
    return [
        _Bar(name=name, value=value, length=max(0.0, min(value / longest, 1.0)), cut=value > longest)
        for name, value in values.items()
    ]


def _head(height: int, told: str) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">
<title>The gateway and its peers</title>
<style>
  text {{ font: 13px system-ui, sans-serif; fill: #57606a }}
  .title {{ font-weight: 600; fill: #24292f }}
  .bar {{ fill: #afb8c1 }} .ours {{ fill: #0969da }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #8b949e }} .title {{ fill: #e6edf3 }} .bar {{ fill: #484f58 }} .ours {{ fill: #388bfd }}
  }}
</style>
<text class="title" x="16" y="24" style="font-size:16px">The gateway and its peers, one process on one CPU each</text>
<text x="16" y="42">{escape(told)}</text>"""


def _panel(
    title: str, measure: Measure, bars: Sequence[_Bar], versions: Mapping[str, str], *, x: int, y: int
) -> Iterator[str]:
    better = "more is better" if measure.more_is_better else "less is better"
    yield f'<text class="title" x="{x}" y="{y + 20}">{escape(title)}</text>'
    yield f'<text x="{x + _COLUMN}" y="{y + 20}" text-anchor="end" style="font-size:11px">{better}</text>'
    for row, bar in enumerate(bars):
        top = y + 32 + row * _ROW
        width = max(1.0, bar.length * _BAR)
        kind = "ours" if row == 0 else "bar"
        label = f"{number(bar.value)} {_UNITS[measure.unit]}"
        full = escape(f"{bar.name} {versions.get(bar.name, '')}".strip())
        yield f'<text x="{x}" y="{top + 13}">{escape(bar.name)}<title>{full}</title></text>'
        yield f'<rect class="{kind}" x="{x + _NAMES}" y="{top}" width="{width:.1f}" height="16" rx="2"/>'
        if bar.cut:
            edge = x + _NAMES + width - 18
            strokes = f"M{edge:.1f} {top + 19}l6 -22M{edge + 5:.1f} {top + 19}l6 -22"
            yield f'<path d="{strokes}" stroke="#fff" stroke-width="2"/>'
        yield f'<text x="{x + _NAMES + width + 8:.1f}" y="{top + 13}">{label}</text>'
