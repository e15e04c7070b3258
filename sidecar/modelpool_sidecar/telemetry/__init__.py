"""How the gateway tells about itself: `events` of requests, and the `access_log` and `metrics` that are made of them.

Must not know who acts on them. `serving` tells, nobody else.
"""
