"""A run as a picture: one query by the models that it asks, and the fullest run by its queries. Pure but for files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from modelpool_bench_replay.client import Span
from modelpool_bench_replay.pipeline import Kind
from modelpool_bench_replay.runs import Run

COLOURS: Final = {Kind.LLM: "#3b6fb6", Kind.VISION: "#c2743a", Kind.WAIT: "#c9ced6"}
WORDS: Final = {Kind.LLM: "text model", Kind.VISION: "vision model", Kind.WAIT: "the web"}
WEB: Final = "the web"
LEFT, RIGHT, WIDTH = 205, 20, 960
LANE, THIN, GAP, HEAD = 22, 9, 3, 46


def write(folder: Path, done: Sequence[Run]) -> Path:
    """Write the picture of a scenario's runs; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    first = done[0]
    name = f"replay-{first.scenario.name}{'-' + first.speeds.value if first.speeds else ''}.svg"
    path = folder / name
    path.write_text(draw(done))
    return path


def draw(done: Sequence[Run]) -> str:
    """Return the picture: the first run by models, the last by queries."""
    first, last = done[0], done[-1]
    speed = f", {first.speeds.value} speed" if first.speeds else ""
    parts, at = [], HEAD
    panel, at = _panel(at, f"one query: {first.figures.query_seconds:.0f} s", _by_model(first.spans), LANE)
    parts += panel
    if last is not first:
        title = f"{last.figures.queries} queries at once: {last.figures.per_minute:.2f} per minute"
        panel, at = _panel(at + 20, title, _by_query(last.spans), THIN)
        parts += panel
    frame = f'viewBox="0 0 {WIDTH} {at + 10}" width="{WIDTH}" font-family="system-ui, sans-serif" font-size="12"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {frame}>',
            f'<rect width="{WIDTH}" height="{at + 10}" fill="#ffffff"/>',
            f'<text x="14" y="26" font-size="15" font-weight="600">{escape(first.scenario.title + speed)}</text>',
            *_legend(),
            *parts,
            "</svg>\n",
        ]
    )


def rows(spans: Sequence[Span]) -> list[list[Span]]:
    """Return the spans in as few rows as show none on top of another."""
    placed: list[list[Span]] = []
    for span in sorted(spans, key=lambda one: (one.begin, one.end)):
        row = next((row for row in placed if row[-1].end <= span.begin + 1e-9), None)
        if row is None:
            placed.append([span])
        else:
            row.append(span)
    return placed


def _by_model(spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    lanes: dict[str, list[Span]] = {}
    for span in spans:
        lanes.setdefault(span.model or WEB, []).append(span)
    return [(name if at == 0 else "", row) for name, lane in lanes.items() for at, row in enumerate(rows(lane))]


def _by_query(spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    queries = sorted({span.query for span in spans})
    return [
        (f"query {number + 1}", sorted((span for span in spans if span.query == number), key=_waits_first))
        for number in queries
    ]


def _waits_first(span: Span) -> bool:
    return span.kind is not Kind.WAIT


def _panel(top: int, title: str, lanes: list[tuple[str, list[Span]]], height: int) -> tuple[list[str], int]:
    """Return the panel and where it ends."""
    end = max(span.end for _, lane in lanes for span in lane)
    scale = (WIDTH - LEFT - RIGHT) / end
    bottom = top + 22 + len(lanes) * (height + GAP)
    parts = [f'<text x="14" y="{top + 12}" font-weight="600">{escape(title)}</text>']
    tick = next(step for step in (5, 10, 20, 50, 100, 200, 500, 1000, 5000) if end / step <= 12)
    for seconds in range(0, int(end) + 1, tick):
        x = LEFT + seconds * scale
        parts.append(f'<line x1="{x:.1f}" y1="{top + 18}" x2="{x:.1f}" y2="{bottom}" stroke="#e6e9ee"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 13}" fill="#5a6270" text-anchor="middle">{seconds} s</text>')
    for number, (name, lane) in enumerate(lanes):
        y = top + 22 + number * (height + GAP)
        if name and (height >= LANE or number % 4 == 0):
            parts.append(f'<text x="{LEFT - 10}" y="{y + height / 2 + 4:.0f}" text-anchor="end">{escape(name)}</text>')
        parts += [_bar(span, y, height, scale) for span in lane]
    return parts, bottom + 18


def _bar(span: Span, y: int, height: int, scale: float) -> str:
    x, width = LEFT + span.begin * scale, max(span.seconds * scale, 1)
    label = ""
    if height >= LANE and width > 7 * len(span.step):
        ink = "#3a414d" if span.kind is Kind.WAIT else "#ffffff"
        label = f'<text x="{x + 5:.1f}" y="{y + 15}" fill="{ink}">{escape(span.step)}</text>'
    told = escape(f"{span.step}: {span.seconds:.1f} s")
    return (
        f'<g><title>{told}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="2" '
        f'fill="{COLOURS[span.kind]}" stroke="#ffffff" stroke-width="0.6"/>{label}</g>'
    )


def _legend() -> list[str]:
    parts = []
    for number, (kind, colour) in enumerate(COLOURS.items()):
        x = WIDTH - RIGHT - 330 + 115 * number
        parts.append(f'<rect x="{x}" y="15" width="14" height="14" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="26">{WORDS[kind]}</text>')
    return parts
