"""One client as a program: `python asked.py MODULE` reads a line of JSON for each call and answers with one.

Run by the Python of an environment of the clients' own, so it has nothing but what is beside it. A line in:
`{"way": "openai", "call": "chat", "url": "http://…", "models": {"thinks", "sees", "embeds", "endless"}, "said": {…}}`,
where `way` is one of the module's ways to ask and `said` is what is asked, the same for all clients of this case. A
line out: `{"value": …}` or `{"error": "…"}`; the first is `ready`, once all is imported.
"""

import contextlib
import gc
import importlib
import json
import sys
import traceback


def main() -> None:
    """Answer until the input ends. What clients print goes to the standard error, for the answers are alone here."""
    answers, sys.stdout = sys.stdout, sys.stderr
    module = importlib.import_module(sys.argv[1])
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        name, way = asked.pop("call"), asked.pop("way")
        try:
            answer = {"value": module.calls(way)[name](**asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "stack": traceback.format_exc()}
        gc.collect()  # an answer that a client still holds after this is held for good
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def until_third(pieces):
    """Take three pieces of an answer and leave; how many that were."""
    taken = 0
    with contextlib.closing(pieces) if hasattr(pieces, "close") else contextlib.nullcontext():
        for piece in pieces:
            taken += bool(piece)
            if taken == 3:
                break
    return taken


if __name__ == "__main__":
    main()
