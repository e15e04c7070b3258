"""The manifests of all that a pool wants to exist, in the order in which they are applied."""
