"""What is answered: natural ends, limits, stop strings, tools, structure."""

import json

from modelpool_simulators import scripts
from modelpool_simulators.scripts import Brief, Channel, Limits


def test_fixed_replies_end_with_an_end_of_turn() -> None:
    script = scripts.write(Brief(prompt="hi", reply="Hello there!"), Limits(tokens=100))
    assert script.text(Channel.CONTENT) == "Hello there!"
    assert (len(script.tokens), script.finish) == (4, "stop")


def test_limits_cut() -> None:
    script = scripts.write(Brief(prompt="hi"), Limits(tokens=3))
    assert (len(script.tokens), script.finish) == (3, "length")


def test_stop_strings_cut_before_themselves_and_count_the_token() -> None:
    script = scripts.write(Brief(prompt="hi", reply="Hello there!"), Limits(tokens=100, stops=["e"]))
    assert (script.text(Channel.CONTENT), script.finish, script.stop) == ("H", "stop", "e")
    assert len(script.tokens) == 1


def test_stop_strings_are_found_across_tokens() -> None:
    script = scripts.write(Brief(prompt="hi", reply="one two three"), Limits(tokens=100, stops=["o th"]))
    assert script.text(Channel.CONTENT) == "one tw"


def test_the_first_stop_string_in_the_text_wins() -> None:
    script = scripts.write(Brief(prompt="hi", reply="one two three"), Limits(tokens=100, stops=["three", "two"]))
    assert (script.text(Channel.CONTENT), script.stop) == ("one ", "two")


def test_ignoring_the_end_fills_the_limit() -> None:
    script = scripts.write(Brief(prompt="hi", reply="Hello."), Limits(tokens=500, ignore_end=True))
    assert (len(script.tokens), script.finish) == (500, "length")


def test_thinking_comes_first() -> None:
    script = scripts.write(Brief(prompt="hi", reply="Yes.", thinking=True, thought="Hm."), Limits(tokens=100))
    assert [token.channel for token in script.tokens] == [
        Channel.REASONING,
        Channel.REASONING,
        Channel.SILENT,
        Channel.CONTENT,
        Channel.CONTENT,
        Channel.SILENT,
    ]


def test_tools_get_arguments_that_fit() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    brief = Brief(prompt="hi", calls=[scripts.ToolCall(name="get_weather", parameters=parameters)])
    script = scripts.write(brief, Limits(tokens=100))
    assert script.text(Channel.TOOL) == "get_weather"
    assert json.loads(script.text(Channel.ARGUMENTS)) == {"city": "Paris"}


def test_structure_is_json() -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    script = scripts.write(Brief(prompt="hi", schema=schema), Limits(tokens=100))
    assert json.loads(script.text(Channel.CONTENT)) == {"ok": False}
