"""Tests of the simulated engines: conformance with the recordings, batching, memory of cards, life of the processes."""
