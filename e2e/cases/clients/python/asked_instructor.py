"""Instructor: objects out of answers, by tools, by JSON and by a schema. It is for nothing else."""

import instructor
import openai
from pydantic import BaseModel


class Answer(BaseModel):
    """An answer."""

    ok: bool
    word: str


def calls(mode):
    """The calls of one of its modes."""

    def client(url):
        asked = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        return instructor.from_openai(asked, mode=instructor.Mode[mode.upper()])

    def structured(url, models, said):
        messages = [{"role": "user", "content": said["ask"]}]
        found = client(url).chat.completions.create(
            model=models["sees"], messages=messages, response_model=Answer, max_retries=0
        )
        return found.model_dump()

    return {"structured": structured}
