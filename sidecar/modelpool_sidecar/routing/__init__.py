"""Where a request goes, decided without I/O; `now` is an argument.

`documents` reads the routes document, `table_building` turns documents and readiness into one frozen `table`, `choose`
picks a target by it and by what is `in_flight`, `fair_queue` orders those that wait, `health` says what outcomes mean
for an engine, `callers` tells callers apart. Must not know sockets, clocks, dialects or what an engine is. Called by
`discovery`, which keeps the table, and by `serving`.
"""
