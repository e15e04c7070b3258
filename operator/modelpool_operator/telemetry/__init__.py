"""What the operator tells about itself: log records, metrics, and the server that shows health and metrics.

Used by the two layers that have effects, `cluster` and `handlers`; knows nothing of either.
"""
