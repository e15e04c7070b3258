"""A form goes to vLLM as it is, under the name that the engine serves, and to no Ollama."""

from pathlib import Path

from .scenes import backend, document, scene
from .scripted import Received, engine

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\x00\xff\r\n'
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--b--\r\n'
)
PATH = "/v1/audio/transcriptions"
TYPE = {"Content-Type": "multipart/form-data; boundary=b"}


async def test_a_recording_is_written_down_by_vllm(tmp_path: Path) -> None:
    got: list[Received] = []

    async def answer(request: Received) -> None:
        got.append(request)
        await request.answer(b'{"text":"hello"}')

    async with engine(answer) as vllm, engine(answer, models=["served"]) as ollama:
        backends = (backend("ollama", ollama.url, model="served"), backend("vllm", vllm.url, model="served"))
        async with scene(tmp_path, document(*backends, aliases=["whisper"])) as gate:
            await gate.until_ready(True, True)
            async with gate.post(PATH, FORM % b"whisper", headers=TYPE) as response:
                assert (response.status, await response.json()) == (200, {"text": "hello"})
                assert response.headers["X-ModelPool-Backend"] == "vllm"
            (request,) = got
            assert (request.path, request.body) == (PATH, FORM % b"served")
            assert request.headers["content-type"] == TYPE["Content-Type"]
            for body, status in ((FORM % b"nobody", 404), (b"{}", 400)):
                async with gate.post(PATH, body, headers=TYPE) as refused:
                    assert refused.status == status
                    assert "message" in (await refused.json())["error"]
            assert len(got) == 1
