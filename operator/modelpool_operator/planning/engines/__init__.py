"""The engines that run models, each in a file or a package of its own, behind one protocol: `profile.Profile`.

A profile knows one program: its arguments, environment, pod and probes, what it puts into its share of a card, the
words in which it dies, and what it is called in routes. It must not know what exists, nor where it is put. Whoever
plans asks `registry.PROFILES`; nobody else asks which engine it is. A new engine is a new file here.
"""
