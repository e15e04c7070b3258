"""Whether two engines answer equally well: questions with known answers, and the interval that chance explains."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

RUNS: Final = 4
"""How often each question is asked."""
_QUANTILE: Final = 2.576
"""Two-sided, of the normal distribution: chance alone goes beyond it once in a hundred times."""

QUESTIONS: Final[Mapping[str, str]] = {
    "What is the capital of France?": "paris",
    "What is the capital of Italy?": "rome",
    "What is the capital of Japan?": "tokyo",
    "What is the capital of Germany?": "berlin",
    "What is the capital of Spain?": "madrid",
    "What is the capital of England?": "london",
    "What is the capital of Russia?": "moscow",
    "What is the capital of Egypt?": "cairo",
    "What is the capital of China?": "beijing",
    "What is the capital of Greece?": "athens",
    "What is the largest planet of the solar system?": "jupiter",
    "Which planet is known as the red planet?": "mars",
    "Which planet is closest to the sun?": "mercury",
    "What is the largest ocean on Earth?": "pacific",
    "What is the chemical symbol of water?": r"h2o|h₂o",
    "Which gas do plants take in from the air?": r"carbon dioxide|co2|co₂",
    "Which gas do people need to breathe?": "oxygen",
    "What is the color of the sky on a clear day?": "blue",
    "What is the color of grass?": "green",
    "What is the color of snow?": "white",
    "What is the color of a ripe banana?": "yellow",
    "Who wrote the play Romeo and Juliet?": "shakespeare",
    "Who painted the Mona Lisa?": r"leonardo|da vinci",
    "Who was the first president of the United States?": "washington",
    "Who developed the theory of relativity?": "einstein",
    "Which animal says meow?": "cat",
    "Which animal barks?": "dog",
    "What do bees make?": "honey",
    "How many days are in a week?": r"\b7\b|seven",
    "How many months are in a year?": r"\b12\b|twelve",
    "How many legs does a spider have?": r"\b8\b|eight",
    "How many hours are in a day?": r"\b24\b|twenty-four",
    "What is 2 + 2?": r"\b4\b|four",
    "What is 5 + 3?": r"\b8\b|eight",
    "What is 10 - 4?": r"\b6\b|six",
    "What is the opposite of hot?": "cold",
    "What is the opposite of up?": "down",
    "What is frozen water called?": "ice",
    "On which continent is Brazil?": "south america",
    "In which country is the Eiffel Tower?": "france",
}
"""And the pattern that is found in a right answer, in small letters."""


def right(question: str, answer: str) -> bool:
    """Whether the answer is right."""
    return re.search(QUESTIONS[question], answer.lower()) is not None


def interval(reference: Sequence[int], other: Sequence[int]) -> float:
    """How many right answers two series of runs may lie apart by chance; each number is how many of RUNS were right for
    one question. Questions differ in how hard they are, so each gives its own part of the variance.
    """
    return _QUANTILE * math.sqrt(sum(map(_variance, [*reference, *other])))


def _variance(count: int) -> float:
    """Of the number of right answers to one question, estimated without bias."""
    return count * (RUNS - count) / (RUNS - 1)
