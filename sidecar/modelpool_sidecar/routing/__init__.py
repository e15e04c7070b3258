"""Where a request goes, decided without I/O.

`documents` reads the routes document, `table` turns documents and endpoint readiness into one frozen RoutingTable,
`choose` picks a target from a table and the loads, `queue` orders those that wait, `callers` tells callers apart.
Nothing here opens a socket, reads a clock or logs: the effects live in `proxy`, which is the only caller.
"""
