"""HTTP/1.1 on asyncio: a server for callers, a client for engines, and what both share.

Knows bytes, sockets and time limits. Must not know dialects, models or engines: it imports nothing else of the gateway.
Called by `serving`, which answers requests and asks engines, and by `app`, which opens the ports.

`inline_task` runs requests without tasks, `chunked` frames bodies, `head_cache` knows heads again by their bytes.
"""
