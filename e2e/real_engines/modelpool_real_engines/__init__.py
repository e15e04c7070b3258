"""A real vLLM and a real Ollama on this machine's CPU, with tiny models, to hold the gateway against.

- `places` knows where things lie and which versions they are; it installs and starts nothing.
- `vllm`, `ollama` and `models` put them there, each a no-op when it is done; `commands` runs what they need.
- `running` starts what is installed, and the gateway before it.
- `calls` is the table of calls, `answers` sends one, `shapes` finds where two answers differ, `differences` holds the
  differences that are known, with their reasons, and `ledger` sums up.

Nothing here knows how the gateway works inside. The cases are in `e2e/cases/real_engines`.
"""
