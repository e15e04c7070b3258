"""Tests of what each engine is told."""
