"""The languages that callers speak: Ollama's, OpenAI's and Anthropic's APIs as bytes and values. Pure.

Knows no socket, no clock (times are arguments), no engine and no routing table. Called by `engines`, `translation` and
`serving`.

`calls` says what a request asks for, `bodies` what its body says, `errors` words every refusal, `model_cards` what is
asked of the gateway itself, `stream_end` the end of a stream that broke, `cors` who may ask from a browser.
"""
