"""Effects of the gateway: sockets in, sockets out, and the live state between them.

The way of a request: `front` reads what is common and `aside` the rest, both hand a `request` to `gateway`, which asks
the protocols what it is; `admission` grants a lease on a target (after `routing` has chosen), `attempts` opens the
target through `upstream` until one gives a first byte, `sending` carries the answer back over the `response_writer`, piece by
piece from where the engine's bytes arrive. `directory` holds the routing table, `sources` and `probes` feed it. Only
`lean_*` know how engines are spoken to, only `front_*`, `aside*` and `response_writer` how callers are.
"""
