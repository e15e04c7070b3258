"""The life of a request, from its head to its last byte.

`dispatch` says what a request is; what an engine must answer goes to `inference`, which gets leases from `admission`
and makes an `attempt` at one engine after the other, until `relay` carries an answer to the caller through one of the
`transforms`. `admin`, `models` and `pages` answer the rest, `refusals` words what is refused. Must not know how bytes
are framed (`http` does) or which engine it is (`engines` do). Called by `http.server`, for each request.
"""
