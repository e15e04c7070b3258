"""The server: connections of callers, requests in, answers out.

`listener` accepts, `server` owns the connections and their end. `connection` serves what is common (HTTP/1.1, a known
length, a plain path) from where the bytes arrive; at the first thing that is not common it hands the connection over to
`general`, which reads everything that HTTP/1.1 allows. Both hand a `request.ServerRequest` to whoever answers, and
write through a `response_writer`, so that nobody can tell which of the two it was.

Must not know what is asked: that is for its `connection_owner.Application`. Called by `app`, and by whoever answers.
"""
