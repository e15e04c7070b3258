"""The demonstration's answers as one table."""

from collections.abc import Sequence

from rich.table import Table

from modelpool_cli.demo.ask import Answer


def draw(chapters: Sequence[tuple[str, Sequence[Answer]]]) -> Table:
    """Return one table with a section per chapter."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("MODEL", "CLIENT", "BACKEND", "ROUTE"):
        table.add_column(column, no_wrap=True)
    for column in ("FIRST TOKEN ms", "TOKENS/s", "WHOLE ANSWER s"):
        table.add_column(column, justify="right")
    for title, answers in chapters:
        table.add_row(f"[bold]{title}[/]")
        for answer in answers:
            table.add_row(
                answer.model,
                answer.client.value,
                f"[{'green' if answer.backend == 'vllm' else 'cyan'}]{answer.backend}[/]",
                answer.route,
                f"{1000 * answer.first_token_seconds:.0f}",
                f"{answer.tokens_per_second:.0f}",
                f"{answer.whole_seconds:.2f}",
            )
        table.add_section()
    return table
