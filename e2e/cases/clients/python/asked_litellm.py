"""LiteLLM, by each of its ways to the same models: `ollama_chat`, `ollama`, `openai` and `anthropic`.

It reads what a model can do from `/api/show`, and tools that it finds no word of there are asked for as JSON.
"""

import importlib.util
import json
import os
from pathlib import Path

from asked import until_third

# It brings the file that it counts tokens with, and looks for it there in only some of its ways.
_HOME = Path(importlib.util.find_spec("litellm").origin).parent
os.environ["TIKTOKEN_CACHE_DIR"] = str(_HOME / "litellm_core_utils" / "tokenizers")

import litellm  # noqa: E402

litellm.suppress_debug_info = True
litellm.telemetry = False


def calls(way):
    """The calls that this way has."""
    base = {"openai": "/v1", "anthropic": ""}.get(way, "")

    def completed(url, model, messages, **more):
        os.environ["OLLAMA_API_BASE"] = url  # it asks /api/show there, whatever `api_base` says
        where = {"api_base": url + base, "api_key": "none", "num_retries": 0, "timeout": 60}
        return litellm.completion(f"{way}/{model}", messages, **where, **more)

    def user(content):
        return [{"role": "user", "content": content}]

    def chat(url, models, said):
        answer = completed(url, models["sees"], user(said["ask"]))
        return {"text": answer.choices[0].message.content, "tokens": answer.usage.completion_tokens}

    def stream(url, models, said):
        chunks = completed(url, models["sees"], user(said["ask"]), stream=True)
        pieces = [text for chunk in chunks if chunk.choices and (text := chunk.choices[0].delta.content)]
        return {"pieces": len(pieces), "text": "".join(pieces)}

    def tools(url, models, said):
        messages = user(said["ask_for_tool"])
        message = completed(url, models["thinks"], messages, tools=[said["tool"]]).choices[0].message
        (call,) = message.tool_calls
        messages += [message, {"role": "tool", "tool_call_id": call.id, "name": call.function.name,
                               "content": said["result"]}]  # fmt: skip
        second = completed(url, models["thinks"], messages, tools=[said["tool"]])
        arguments = json.loads(call.function.arguments)
        return {"name": call.function.name, "arguments": arguments, "ended": bool(second.choices[0].finish_reason)}

    def structured(url, models, said):
        schema = {"name": "answer", "schema": said["schema"], "strict": True}
        format_ = {"type": "json_schema", "json_schema": schema}
        answer = completed(url, models["sees"], user(said["ask"]), response_format=format_)
        return json.loads(answer.choices[0].message.content)

    def embeddings(url, models, said):
        where = {"api_base": url + base, "api_key": "none"}
        name = models["embeds"]
        found = litellm.embedding(f"{way.removesuffix('_chat')}/{name}", ["one", "two"], **where)
        return [len(one["embedding"]) for one in found.data]

    def image(url, models, said):
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{said['png']}"}}
        answer = completed(url, models["sees"], user([{"type": "text", "text": "What is this?"}, picture]))
        return {"text": answer.choices[0].message.content}

    def thinking(url, models, said):
        # Of a name that it does not know it believes that it cannot think, unless it is told otherwise.
        more = {"reasoning_effort": "low", "allowed_openai_params": ["reasoning_effort"]}
        if way == "anthropic":
            more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "allowed_openai_params": ["thinking"]}
        message = completed(url, models["thinks"], user(said["ask"]), **more).choices[0].message
        return {"thinking": message.reasoning_content, "text": message.content}

    def leaving(url, models, said):
        chunks = completed(url, models["endless"], user(said["ask"]), stream=True)
        pieces = until_third(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)
        return {"pieces": pieces}

    found = {one.__name__: one for one in (chat, stream, tools, structured, image, thinking, leaving)}
    return found if way == "anthropic" else {**found, "embeddings": embeddings}
