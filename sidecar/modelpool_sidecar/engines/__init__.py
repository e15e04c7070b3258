"""The engines behind the gateway, each described in a file of its own: what it offers and how it behaves.

A profile knows one program's API, its probes and its ways to fail. It must not know requests, callers or the table.
`discovery` probes by it, `serving` asks it; nobody else asks which engine it is. A new engine is a new file here.
"""
