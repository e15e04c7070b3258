"""A pool on one machine, without a cluster.

`layout` says which programs, `processes` keeps them up, `up` is the command.
"""
