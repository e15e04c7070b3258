"""The clients people use, official packages of Ollama and OpenAI, work against the simulated engines."""

import ollama
import openai
import pytest

from . import serving

_MODELS = {"FAKE_OLLAMA_PRELOADED": "qwen3:8b,embed:tiny", "FAKE_OLLAMA_REPLY": "Hello there!"}
_ASK = [{"role": "user", "content": "hi"}]


async def test_the_ollama_client_is_served() -> None:
    async with (
        serving.ollama(**_MODELS) as (session, _),
        ollama.AsyncClient(host=str(session._base_url)) as client,
    ):
        listed = await client.list()
        assert sorted(model.model or "" for model in listed.models) == ["embed:tiny", "qwen3:8b"]
        shown = await client.show("qwen3:8b")
        assert "thinking" in (shown.capabilities or [])
        answer = await client.chat("qwen3:8b", _ASK)
        assert (answer.message.content, answer.done_reason) == ("Hello there!", "stop")
        assert answer.message.thinking
        said = [part.message.content async for part in await client.chat("qwen3:8b", _ASK, stream=True)]
        assert "".join(piece or "" for piece in said) == "Hello there!"
        assert len((await client.embed("embed:tiny", ["a", "b"])).embeddings) == 2
        assert (await client.ps()).models[0].context_length == 4096
        progress = [part.status async for part in await client.pull("cogito:8b", stream=True)]
        assert progress[-1] == "success"
        await client.copy("cogito:8b", "copied")
        await client.create("derived", from_="cogito:8b", system="Be brief.")
        await client.delete("copied")
        with pytest.raises(ollama.ResponseError, match="model 'copied' not found"):
            await client.chat("copied", _ASK)


@pytest.mark.parametrize("engine", ["vllm", "ollama"])
async def test_the_openai_client_is_served(engine: str) -> None:
    starting = (
        serving.ollama(**_MODELS, OLLAMA_ORIGINS="*")
        if engine == "ollama"
        else serving.vllm("--served-model-name", "qwen3:8b", FAKE_VLLM_REPLY="Hello there!")
    )
    async with (
        starting as (session, _),
        openai.AsyncOpenAI(base_url=f"{session._base_url}/v1", api_key="none", max_retries=0) as client,
    ):
        assert "qwen3:8b" in [model.id async for model in client.models.list()]
        answer = await client.chat.completions.create(model="qwen3:8b", messages=[{"role": "user", "content": "hi"}])
        assert answer.choices[0].message.content == "Hello there!"
        stream = await client.chat.completions.create(
            model="qwen3:8b", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        assert "".join(said) == "Hello there!"
        response = await client.responses.create(model="qwen3:8b", input="hi")
        assert response.output_text == "Hello there!"
        events = [
            event.type async for event in await client.responses.create(model="qwen3:8b", input="hi", stream=True)
        ]
        assert (events[0], events[-1]) == ("response.created", "response.completed")
        with pytest.raises(openai.NotFoundError):
            await client.chat.completions.create(model="nope", messages=[{"role": "user", "content": "hi"}])
