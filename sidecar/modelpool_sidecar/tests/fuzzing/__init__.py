"""Hostile input for every codec and every translator: `make fuzz SECONDS=n`, and its corpus as tests.

`targets` are functions over bytes that must not fail; `__main__` runs them under atheris, which looks for input that
reaches new code; `seeds` begins the search with the recordings of real engines. What a run finds interesting goes to
`corpus/`, and what fails to `corpus/` too: `test_corpus` replays both.
"""
