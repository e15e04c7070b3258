"""Kubernetes objects as dictionaries: how a pool's are named, labelled, owned and sealed, and what users write."""
