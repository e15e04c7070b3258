"""Tests of the codecs and translators, against recordings of real engines."""
