"""Every recording can be read, and what is read is what the server sent."""

import pytest

from modelpool_simulators import recordings

_ALL = [name for folder in ("vllm", "vllm/scripted-chat", "ollama") for name in recordings.recorded(folder)]


@pytest.mark.parametrize("name", _ALL)
def test_body_is_as_long_as_the_server_said(name: str) -> None:
    recording = recordings.load(name)
    length = recording.response.header("Content-Length")
    if length is not None and recording.request.method != "HEAD":
        assert len(recording.response.body) == int(length)


def test_streams_are_read_to_their_end() -> None:
    recording = recordings.load("vllm/11-chat-stream.txt")
    assert recording.request.method == "POST"
    assert recording.request.path == "/v1/chat/completions"
    assert recording.request.headers == {"Content-Type": "application/json"}
    assert recording.response.body.endswith(b"data: [DONE]\n\n")


def test_cut_bodies_say_so() -> None:
    assert recordings.load("vllm/53-err-prompt-too-long.txt").request.cut
    assert not recordings.load("vllm/10-chat.txt").request.cut


def test_notes_hold_no_exchange() -> None:
    with pytest.raises(recordings.MalformedRecordingError, match="must hold one exchange, holds 0"):
        recordings.load("vllm/70-abort.txt")
