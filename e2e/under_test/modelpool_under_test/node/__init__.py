"""ModelPool on a real node: the chart's release, a pool of simulated engines, and callers of its gateway."""
