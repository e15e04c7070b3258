"""The client: requests to engines over connections that are kept, and their answers as they come.

`pool` is what callers of this package use; `request` and `response` are its values, `errors` what it raises.
"""
