"""One client as a program: `python asked.py MODULE [WAY]` reads a line of JSON for each call and answers with one.

Run by the Python of an environment of the clients' own, so it has nothing but what is beside it. A line in:
`{"call": "chat", "url": "http://…", "models": {"thinks", "sees", "embeds", "endless"}, "said": {…}}`, where `said` is
what is asked, the same for all clients of this case. A line out: `{"value": …}` or `{"error": "…"}`.
"""

import contextlib
import importlib
import json
import sys
import traceback


def main() -> None:
    """Answer until the input ends. What clients print goes to the standard error, for the answers are alone here."""
    answers, sys.stdout = sys.stdout, sys.stderr
    calls = importlib.import_module(sys.argv[1]).calls(*sys.argv[2:])
    for line in sys.stdin:
        asked = json.loads(line)
        name = asked.pop("call")
        try:
            answer = {"value": calls[name](**asked)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "stack": traceback.format_exc()}
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
