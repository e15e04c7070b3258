"""The languages of the gateway: codecs without I/O and pure translators.

Knows the bytes of the Ollama, OpenAI and Anthropic APIs, and how an Ollama call becomes a vLLM call and back. Knows
no socket, no clock (times are arguments), no routing table. `proxy` is the only caller.

`paths` says what a call is, `requests` reads what routing needs from its body, `rewriting` puts another model name
in, `translation` turns one dialect into the other, `errors` words every refusal, `catalog` answers what is asked of
the gateway itself, `endings` words the end of a stream that broke.
"""
