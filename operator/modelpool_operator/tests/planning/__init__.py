"""Tests of decisions: values in, values out. Only the start script is run, as the program it is."""
