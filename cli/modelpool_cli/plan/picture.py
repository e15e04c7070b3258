"""The report as a picture: one bar per card, one block per model, drawn to scale. SVG, for documents. Pure."""

from typing import Any, Final
from xml.sax.saxutils import escape

from modelpool_cli.plan.report import Report
from modelpool_operator.api.quantity import GIB

WIDTH: Final = 760
BAR: Final = 64
MARGIN: Final = 16
HEAD: Final = 34
GAP: Final = 58
COLOURS: Final = ("#4c78a8", "#59a14f", "#e15759", "#b07aa1", "#f28e2b", "#76b7b2", "#9c755f", "#edc948")
FONT: Final = "font-family='ui-sans-serif, system-ui, sans-serif'"


def draw(report: Report) -> str:
    """Return the SVG of a plan that fits.

    Raises:
        ValueError: the pool was refused: there is nothing to draw.
    """
    if report["verdict"] == "refused":
        raise ValueError(f"must fit to be drawn, got {report['reason']}: {report['message']}")
    cards = report["cards"]
    scale = (WIDTH - 2 * MARGIN) / max(card["memoryBytes"] for card in cards)
    beside = _beside(report)
    height = HEAD + len(cards) * (BAR + GAP) + 22 * len(beside) + MARGIN
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}'>",
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(MARGIN, 22, f"{report['pool']['name']}: who holds what of each card", size=15, weight=600),
    ]
    for place, card in enumerate(cards):
        parts += _card(card, HEAD + place * (BAR + GAP), scale, place)
    base = HEAD + len(cards) * (BAR + GAP) + 8
    parts += [_text(MARGIN, base + 22 * line, text, size=13, fill="#555") for line, text in enumerate(beside)]
    return "\n".join([*parts, "</svg>", ""])


def _card(card: dict[str, Any], top: int, scale: float, place: int) -> list[str]:
    title = f"card {card['index']}: {_gib(card['memoryBytes'])} GiB, {_gib(card['freeBytes'])} free"
    parts = [
        _text(MARGIN, top + 20, title, size=13, fill="#333"),
        _box(MARGIN, top + 28, card["memoryBytes"] * scale, "#f2f2f2", "#bbb"),
    ]
    left = float(MARGIN)
    for number, entry in enumerate(card["models"]):
        colour = COLOURS[(number + 3 * place) % len(COLOURS)]
        share, overhead = entry["shareBytes"] * scale, entry["overheadBytes"] * scale
        parts += [
            f"<g><title>{escape(_title(entry))}</title>",
            _box(left, top + 28, share, colour, "#fff"),
            _box(left + share, top + 28, overhead, colour, "#fff", opacity=0.45),
            _text(left + 8, top + 54, entry["model"], size=13, fill="#fff", weight=600),
            _text(
                left + 8, top + 74, f"{entry['fraction']:.2f} · {_gib(entry['shareBytes'])} GiB", size=12, fill="#fff"
            ),
            "</g>",
        ]
        left += share + overhead
    if card["reserveBytes"]:
        parts.append(_box(left, top + 28, card["reserveBytes"] * scale, "#d9d9d9", "#bbb"))
    return parts


def _title(entry: dict[str, Any]) -> str:
    known = " + ".join(f"{term['label']} {_gib(term['bytes'])}" for term in entry["arithmetic"])
    outside = f"context outside the share {_gib(entry['overheadBytes'])} GiB"
    return f"{entry['model']}: {known + '; ' if known else ''}{outside}; starts as number {entry['start'] + 1}"


def _beside(report: Report) -> list[str]:
    lines = []
    if report["ollama"]:
        lines.append(f"On Ollama: {', '.join(entry['model'] for entry in report['ollama'])}")
    if report["fallback"]:
        lines.append(f"Ollama stands in for: {', '.join(entry['model'] for entry in report['fallback'])}")
    return lines


def _gib(amount: int) -> str:
    return f"{amount / GIB:.1f}"


def _box(left: float, top: float, width: float, fill: str, stroke: str, opacity: float = 1.0) -> str:
    return (
        f"<rect x='{left:.1f}' y='{top:.1f}' width='{width:.1f}' height='{BAR}' rx='3' "
        f"fill='{fill}' stroke='{stroke}' fill-opacity='{opacity}'/>"
    )


def _text(left: float, top: float, text: str, *, size: int, fill: str = "#111", weight: int = 400) -> str:
    return (
        f"<text x='{left:.1f}' y='{top:.1f}' {FONT} font-size='{size}' font-weight='{weight}' fill='{fill}'>"
        f"{escape(text)}</text>"
    )
