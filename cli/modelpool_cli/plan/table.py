"""The report as a person reads it."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelpool_cli.plan.report import Report
from modelpool_operator.api.quantity import GIB


def show(report: Report, console: Console, *, flags: bool = True) -> None:
    """Print the report: cards and notes, or the reason why there is no plan; with `flags` every engine's command."""
    name = f"{report['pool']['namespace']}/{report['pool']['name']}"
    if report["verdict"] == "refused":
        console.print(Text.assemble((f"{name} does not fit: {report['reason']}\n", "bold red"), report["message"]))
        return
    console.print(Text(f"{name} fits", style="bold green"))
    console.print(_cards(report))
    for line in (*_arithmetic(report), *_choices(report)):
        console.print(line, soft_wrap=True)
    for line in (*_beside(report), *(Text(f"Note: {note}", style="yellow") for note in report["notes"])):
        console.print(line)
    if flags:
        console.print(Text("\nEach engine starts with", style="bold"))
        for line in _commands(report):
            # Not wrapped, so that it can be copied.
            console.print(line, soft_wrap=True)


def _gib(amount: int) -> str:
    return f"{amount / GIB:.1f}"


def _cards(report: Report) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("CARD", "MODEL"):
        table.add_column(column, no_wrap=column == "CARD")
    for column in ("FRACTION", "SHARE GiB", "START"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("OF WHICH, GiB")
    for card in report["cards"]:
        for entry in card["models"]:
            overhead = _gib(entry["overheadBytes"])
            table.add_row(
                str(card["index"]),
                ", ".join([entry["model"], *entry.get("aliases", ())]),
                f"{entry['fraction']:.2f}",
                f"{_gib(entry['shareBytes'])} + {overhead}",
                str(entry["start"] + 1),
                _inside(entry),
            )
        table.add_row(str(card["index"]), "", "", "", "", _total(card), style="bold", end_section=True)
    return table


def _inside(entry: dict[str, Any]) -> str:
    """Return what is known to go into a share; where the engine chooses its context, how long that can be."""
    terms = [f"{term['label']} {_gib(term['bytes'])}" for term in entry["arithmetic"]]
    if "longestContext" in entry:
        terms.append(f"room for {entry['longestContext']} tokens")
    return " + ".join(terms) or "unchecked"


def _total(card: dict[str, Any]) -> str:
    planned = f"{_gib(card['plannedBytes'])} of {_gib(card['memoryBytes'])} GiB planned"
    reserve = f", {_gib(card['reserveBytes'])} kept free" if card["reserveBytes"] else ""
    held = f", {_gib(card['heldBytes'])} held by others" if "heldBytes" in card else ""
    return f"{planned}{held}{reserve}, {_gib(card['freeBytes'])} free"


def _arithmetic(report: Report) -> Iterator[Text]:
    """Yield how each card is spent, line by line; the status of the pool says the same."""
    for card in report["cards"]:
        title = f"Card {card['index']}: {card['memoryBytes'] / GIB:.2f}Gi"
        yield Text(title, style="bold")
        for line in card["arithmetic"]:
            yield Text.assemble(f"{line['shown']:>10}  {line['label']}")
            if "of" in line:
                parts = " + ".join(f"{part['shown']} {part['label']}" for part in line["of"])
                yield Text(f"{'':10}  = {parts}", style="dim")


def _choices(report: Report) -> list[Text]:
    """Return why each model stands where it does, where there is more than one card."""
    said = {
        entry["model"]: entry["placement"]
        for card in report["cards"]
        for entry in card["models"]
        if "placement" in entry
    }
    return [Text(f"{model} {why}") for model, why in said.items()]


def _beside(report: Report) -> list[Text]:
    lines = []
    if report["ollama"]:
        lines.append(Text(f"On Ollama: {', '.join(entry['model'] for entry in report['ollama'])}"))
    if report["fallback"]:
        lines.append(Text(f"Ollama stands in for: {', '.join(_stand_in(entry) for entry in report['fallback'])}"))
    return lines


def _stand_in(entry: dict[str, Any]) -> str:
    """Return who is stood in for, as what, and where: `qwen3:8b as qwen3:4b (on the CPU)`."""
    shown = entry["model"]
    if entry["model"] != entry["ollamaModel"]:
        shown = f"{shown} as {entry['ollamaModel']}"
    return f"{shown} (on the CPU)" if entry.get("onCpu") else shown


def _commands(report: Report) -> list[Text]:
    shown: dict[str, list[str]] = {
        entry["model"]: entry["arguments"]
        for card in report["cards"]
        for entry in card["models"]
        if "arguments" in entry
    }
    return [Text.assemble((f"  {model}: ", "bold"), f"vllm serve {_quoted(words)}") for model, words in shown.items()]


def _quoted(words: list[str]) -> str:
    return " ".join(f"'{word}'" if " " in word or "{" in word else word for word in words)
