"""Hostile callers, engines and documents against the running gateway, and an innocent caller who must not notice.

`python -m modelpool_hostile` runs it; `make hostile` is the way in. The gateway is a program of its own here, known by
its command line and by HTTP alone.

    __main__  which gateways, for how long, and the last line
    rounds    one gateway: which case when, what held, what did not
    cases     what is tried; each case says what must hold
    world     what a case works with: the gateway, engines that do as told, the routes file
    wire, asking, engine, answers     bytes of callers and engines
    gateway, innocent, watching       processes and what is measured of them
"""
