import json

from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects import go_json

from . import recordings
from .cutting import QUICK

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


def test_text_is_escaped_as_go_does() -> None:
    assert (
        go_json.encode("<a>&\u2028\u2029é\x00\n") == rb'"\u003ca\u003e\u0026\u2028\u2029' + "é".encode() + rb'\u0000\n"'
    )


def test_a_neighbour_of_the_escaped_characters_stays() -> None:
    assert go_json.encode("\u2027\u202a") == '"\u2027\u202a"'.encode()


def test_a_recorded_line_is_reproduced_byte_for_byte() -> None:
    for line in recordings.load("ollama/46-tools-stream").body.splitlines():
        assert go_json.encode(json.loads(line)) == line


@given(value=JSON)
@QUICK
def test_any_document_reads_back_and_holds_no_raw_special(value: object) -> None:
    text = go_json.encode(value)
    assert json.loads(text) == value
    assert not any(character in text.decode() for character in "<>&\u2028\u2029")
