"""The server: connections of callers, requests in, answers out.

`listener` accepts, `server` owns the connections and their end. `connection` serves what is common (HTTP/1.1, a known
length, a plain path) from where the bytes arrive; at the first thing that is not common it hands the connection over to
`connection`, which reads everything that HTTP/1.1 allows. Both hand a `request.ServerRequest` to whoever
answers, and write through a `response_writer`, so that nobody can tell which of the two it was.
"""
