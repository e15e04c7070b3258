import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpool_sidecar.dialects.model_field import replace_model
from modelpool_sidecar.http.errors import BadRequestError

from .cutting import QUICK

TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT | st.just("model"), inner),
    max_leaves=8,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])
OTHER_KEYS = TEXT.filter(lambda key: key.lower() != "model")


@given(
    before=st.lists(st.tuples(OTHER_KEYS, JSON), max_size=4),
    model=JSON,
    after=st.lists(st.tuples(OTHER_KEYS, JSON), max_size=4),
    name=TEXT,
    separators=SEPARATORS,
    ascii_only=st.booleans(),
)
@QUICK
def test_only_the_value_of_the_model_changes(
    before: list[tuple[str, Any]],
    model: Any,
    after: list[tuple[str, Any]],
    name: str,
    separators: tuple[str, str],
    ascii_only: bool,
) -> None:
    comma, colon = separators

    def text(value: Any) -> str:
        return json.dumps(value, separators=separators, ensure_ascii=ascii_only)

    head = "{" + "".join(f"{text(key)}{colon}{text(value)}{comma}" for key, value in before) + f'"model"{colon}'
    tail = "".join(f"{comma}{text(key)}{colon}{text(value)}" for key, value in after) + "}"

    changed = replace_model((head + text(model) + tail).encode(), name)

    assert changed.startswith(head.encode())
    assert changed.endswith(tail.encode())
    assert json.loads(changed[len(head.encode()) : len(changed) - len(tail.encode())]) == name


@given(body=st.dictionaries(OTHER_KEYS, JSON), first=TEXT, second=TEXT)
@QUICK
def test_the_last_replacement_counts(body: dict[str, Any], first: str, second: str) -> None:
    text = json.dumps({**body, "model": "x"}).encode()
    assert replace_model(replace_model(text, first), second) == replace_model(text, second)


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (b'{"model":"a"}', b'{"model":"NEW"}'),
        (b' {\n"model"\t:\r"a" , "n":1.0e5}\n', b' {\n"model"\t:\r"NEW" , "n":1.0e5}\n'),
        (
            b'{"x":{"model":"in"},"y":["model","]}"],"model":"a"}',
            b'{"x":{"model":"in"},"y":["model","]}"],"model":"NEW"}',
        ),
        (b'{"s":"\\"model\\":\\\\","model":null}', b'{"s":"\\"model\\":\\\\","model":"NEW"}'),
        (b'{"model":{"a":[1,"}"]},"b":0}', b'{"model":"NEW","b":0}'),
        (b'{"model":"a","model":"b"}', b'{"model":"NEW","model":"NEW"}'),
        (b'{"model":"a","MODEL":"b"}', b'{"model":"NEW","MODEL":"NEW"}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"NEW"}'),
        (b'\xef\xbb\xbf{"model":"a"}', b'\xef\xbb\xbf{"model":"NEW"}'),
        (b'{"model":1e3}', b'{"model":"NEW"}'),
    ],
)
def test_replacement(body: bytes, want: bytes) -> None:
    assert replace_model(body, "NEW") == want


def test_the_name_is_encoded_as_json() -> None:
    assert json.loads(replace_model(b'{"model":"a"}', 'q"\\\n\u2028')) == {"model": 'q"\\\n\u2028'}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected EOF"),
        (b"[]", "invalid character"),
        (b"{}", "model is required"),
        (b'{"messages":[{"model":"a"}]}', "model is required"),
        (b'{"model":"a"', "unexpected EOF"),
        (b'{"model":"a', "unexpected EOF"),
        (b'{"model":{"a":1', "unexpected EOF"),
        (b'{"model":', "unexpected EOF"),
        (b'{"model" "a"}', "invalid character"),
        (b'{"model":"a" "b":1}', "invalid character"),
        (b'{"model":"a",', "unexpected EOF"),
        (b'{"model":"a",}', "invalid character"),
    ],
)
def test_what_is_no_object_with_a_model_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        replace_model(body, "NEW")


@given(noise=st.binary(max_size=60))
@QUICK
def test_noise_is_refused_and_never_crashes(noise: bytes) -> None:
    for body in (noise, b'{"model":' + noise, b'{"model":"a",' + noise):
        try:
            replace_model(body, "NEW")
        except BadRequestError:
            continue


def test_a_large_body_keeps_its_image() -> None:
    image = "iVBORw0KGgo" * 200_000
    body = json.dumps({"messages": [{"content": "x", "images": [image]}], "model": "a"}).encode()
    assert replace_model(body, "b") == body.replace(b'"model": "a"', b'"model": "b"')
