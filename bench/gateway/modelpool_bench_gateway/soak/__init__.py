"""The gateway under engines that abort: many requests, of which some break their engine before or after the first byte.

Held are three promises. No request is refused as long as one of its engines lives. A stream that broke is seen to have
broken, and nothing else is. Nothing is left over: leases, waiting requests, sockets, memory.

- `fates` says what becomes of each request, and what its caller should see; the engines read it in the request.
- `engines` are raw sockets that do to each request what its fate says, in a process of their own.
- `callers` ask, and tell what they saw.
- `scenes` runs the gateway, compiled where this machine can, before its engines.

`python -m modelpool_bench_gateway.soak` ends with one line of JSON: 0 when all is kept, 1 when not.
"""
