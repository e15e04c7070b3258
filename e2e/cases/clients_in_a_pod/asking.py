"""Runs in a pod: asks a gateway through the packages that people use, and prints what came as JSON.

`python3 asking.py HOST ENGINE`: the gateway's host, and an engine's, which is asked past the gateway. It
knows nothing of the tests, and has only `openai` and `ollama` beside Python.
"""

import json
import sys

import ollama
import openai

VLLM_MODEL = "qwen3:8b"
OLLAMA_MODEL = "cogito:8b"
EMBEDDING_MODEL = "nomic-embed-text"
SAID = [{"role": "user", "content": "Name three colours"}]


def by_openai(host):
    with openai.OpenAI(base_url=f"http://{host}:8100/v1", api_key="none", max_retries=0) as client:
        chat = client.chat.completions.create(model=VLLM_MODEL, messages=SAID, max_tokens=12)
        chunks = list(client.chat.completions.create(model=VLLM_MODEL, messages=SAID, max_tokens=12, stream=True))
        try:
            client.chat.completions.create(model="absent:1b", messages=SAID)
        except openai.NotFoundError as exc:
            error = {"status": exc.status_code, "text": exc.message}
        else:
            error = None
        return {
            "chat": chat.choices[0].message.content or chat.choices[0].message.reasoning,
            "model": chat.model,
            "pieces": len(chunks),
            "ended": chunks[-1].choices[0].finish_reason,
            "embedding": client.embeddings.create(model=EMBEDDING_MODEL, input=["red", "blue"]).data[1].embedding,
            "models": [model.id for model in client.models.list()],
            "error": error,
        }


def by_ollama(host):
    client = ollama.Client(host=f"http://{host}:11434")
    options = {"num_predict": 12}
    chunks = list(client.chat(VLLM_MODEL, SAID, stream=True, options=options))
    try:
        client.chat("absent:1b", SAID)
    except ollama.ResponseError as exc:
        error = {"status": exc.status_code, "text": exc.error}
    else:
        error = None
    message = client.chat(OLLAMA_MODEL, SAID, options=options).message
    return {
        "chat": message.content or message.thinking,  # some think longer than they may speak
        "model": chunks[0].model,
        "pieces": len(chunks),
        "ended": chunks[-1].done_reason,
        "embedding": client.embed(EMBEDDING_MODEL, ["red", "blue"]).embeddings[1],
        "models": [model.model for model in client.list().models],
        "error": error,
    }


def past_the_gateway(host):
    with openai.OpenAI(base_url=f"http://{host}:8000/v1", api_key="none", max_retries=0) as client:
        try:
            client.chat.completions.create(model=VLLM_MODEL, messages=SAID, max_tokens=12)
        except openai.AuthenticationError as exc:
            return {"status": exc.status_code, "text": exc.response.text}
        return None


if __name__ == "__main__":
    gateway, engine = sys.argv[1:]
    told = {"openai": by_openai(gateway), "ollama": by_ollama(gateway), "past": past_the_gateway(engine)}
    print(json.dumps(told))
