from typing import Any

import pytest

from modelpool_sidecar.http.errors import BadRequestError
from modelpool_sidecar.translation import options
from modelpool_sidecar.translation.options import Kind, Verdict


def params(given: dict[str, Any], context_length: int | None = None) -> dict[str, object]:
    return options.sampling(given, context_length)[0]


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({}, {}),
        ({"num_predict": 4}, {"max_tokens": 4}),
        ({"num_predict": -1}, {}),
        ({"num_predict": -2}, {}),
        ({"num_predict": 0}, {}),
        ({"num_predict": 4.7}, {"max_tokens": 4}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": 0.8}, {"temperature": 0.8}),
        ({"temperature": -1}, {"temperature": 0}),
        ({"top_k": 40}, {"top_k": 40}),
        ({"top_k": 0}, {"top_k": -1}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"top_p": 2}, {"top_p": 1}),
        ({"top_p": 0}, {"top_p": 1e-6}),
        ({"min_p": 0.05}, {"min_p": 0.05}),
        ({"seed": 7}, {"seed": 7}),
        ({"seed": -1}, {}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop": ["", "a"]}, {"stop": ["a"]}),
        ({"stop": []}, {}),
        ({"repeat_penalty": 1.1}, {"repetition_penalty": 1.1}),
        ({"repeat_penalty": 0}, {}),
        ({"presence_penalty": 1.5, "frequency_penalty": -1}, {"presence_penalty": 1.5, "frequency_penalty": -1}),
        ({"num_predict": None, "stop": None}, {}),
    ],
)
def test_sampling(given: dict[str, Any], want: dict[str, Any]) -> None:
    assert params(given) == want


def test_integers_stay_integers() -> None:
    assert repr(params({"num_predict": 4.0, "seed": 7.0, "top_k": 3.0})) == "{'max_tokens': 4, 'seed': 7, 'top_k': 3}"


@pytest.mark.parametrize(("num_predict", "want"), [(8191, {"max_tokens": 8191}), (8192, {})])
def test_as_much_as_the_context_is_no_limit(num_predict: int, want: dict[str, Any]) -> None:
    assert params({"num_predict": num_predict}, 8192) == want


@pytest.mark.parametrize(
    ("num_ctx", "context_length", "warned"),
    [(8192, 8192, False), (8193, 8192, True), (8191, 8192, True), (1, None, False), (99999, None, False)],
)
def test_context_is_checked_not_sent(num_ctx: int, context_length: int | None, warned: bool) -> None:
    given, warnings = options.sampling({"num_ctx": num_ctx}, context_length)
    assert given == {}
    assert bool(warnings) is warned


WRONG = {Kind.INTEGER: "5", Kind.FLOAT: True, Kind.BOOLEAN: 1, Kind.STRINGS: "stop"}
RIGHT = {Kind.INTEGER: 1, Kind.FLOAT: 0.5, Kind.BOOLEAN: True, Kind.STRINGS: ["x"]}


@pytest.mark.parametrize("option", options.TABLE, ids=lambda option: option.name)
def test_every_option_has_its_type_and_its_verdict(option: options.Option) -> None:
    with pytest.raises(BadRequestError) as caught:
        params({option.name: WRONG[option.kind]})
    assert caught.value.message == f'option "{option.name}" must be of type {option.kind.value}'
    assert caught.value.status == 500
    given, warnings = options.sampling({option.name: RIGHT[option.kind]}, 8192)
    assert set(given) == ({option.target} if option.verdict is Verdict.SENT else set())
    assert bool(warnings) is (option.verdict is not Verdict.SENT)


def test_stop_takes_only_texts() -> None:
    with pytest.raises(BadRequestError, match="must be of an array of strings"):
        params({"stop": ["a", 5]})


def test_unknown_options_are_ignored_with_a_word() -> None:
    assert options.sampling({"made_up": 1}, None) == ({}, ("option 'made_up' is not known",))


def test_names_are_listed_once() -> None:
    names = [option.name for option in options.TABLE]
    assert len(names) == len(set(names))
