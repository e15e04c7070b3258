"""The client: requests to engines over connections that are kept, and their answers as they come.

`pool` is what callers of this package use; `request_sender` and `response` have its values, `errors` what it
raises. Must not know engines: an origin and bytes are all it is given. Called by `serving` and
by the probes of `discovery`.
"""
