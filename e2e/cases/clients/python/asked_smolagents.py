"""smolagents: its model for servers that speak OpenAI's API, and an agent that calls tools with it."""

import base64
import io
import json

from asked import until_third
from PIL import Image
from smolagents import ChatMessage, MessageRole, OpenAIModel, Tool, ToolCallingAgent


class Weather(Tool):
    """A tool of one argument."""

    name = "get_weather"
    description = "Weather of a city"
    inputs = {"city": {"type": "string", "description": "Name of a city"}}  # noqa: RUF012 -- as the library wants it
    output_type = "string"

    def forward(self, city: str) -> str:
        """The weather, always the same."""
        return "22"


def calls(_way):
    """Its calls."""

    def model(url, name):
        return OpenAIModel(name, api_base=f"{url}/v1", api_key="none", client_kwargs={"max_retries": 0})

    def user(*content):
        return [ChatMessage(role=MessageRole.USER, content=list(content))]

    def words(text):
        return {"type": "text", "text": text}

    def chat(url, models, said):
        answer = model(url, models["sees"]).generate(user(words(said["ask"])))
        return {"text": answer.content, "tokens": answer.token_usage.output_tokens}

    def stream(url, models, said):
        deltas = model(url, models["sees"]).generate_stream(user(words(said["ask"])))
        pieces = [delta.content for delta in deltas if delta.content]
        return {"pieces": len(pieces), "text": "".join(pieces)}

    def tools(url, models, said):
        """The agent's first step: it asks with `tool_choice: required`, and the model must call one of its tools."""
        agent = ToolCallingAgent(tools=[Weather()], model=model(url, models["thinks"]), max_steps=1, verbosity_level=0)
        agent.run(said["ask_for_tool"])
        (call,) = agent.memory.steps[1].tool_calls
        return {"name": call.name, "arguments": call.arguments, "ended": True}

    def structured(url, models, said):
        schema = {"name": "answer", "schema": said["schema"], "strict": True}
        answer = model(url, models["sees"]).generate(
            user(words(said["ask"])), response_format={"type": "json_schema", "json_schema": schema}
        )
        return json.loads(answer.content)

    def image(url, models, said):
        picture = Image.open(io.BytesIO(base64.b64decode(said["png"])))
        return {
            "text": model(url, models["sees"])
            .generate(user(words("What?"), {"type": "image", "image": picture}))
            .content
        }

    def leaving(url, models, said):
        deltas = model(url, models["endless"]).generate_stream(user(words(said["ask"])))
        return {"pieces": until_third(delta.content for delta in deltas)}

    return {one.__name__: one for one in (chat, stream, tools, structured, image, leaving)}
