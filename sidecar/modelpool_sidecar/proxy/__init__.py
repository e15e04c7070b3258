"""Effects of the gateway: sockets in, sockets out, and the live state between them.

The way of a request: `handlers` reads it and asks the protocols what it is, `admission` grants a lease on a target
(after `routing` has chosen), `attempts` opens the target through `upstream` until one gives a first byte, `relay` or
`translation` carries the answer back. `directory` holds the routing table, `sources` and `probes` feed it. Only
`upstream`'s implementation knows which HTTP client is used.
"""
