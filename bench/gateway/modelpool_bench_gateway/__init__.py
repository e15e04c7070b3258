"""The gateway measured against its peers and against a bare relay, all in one run.

- `load` builds and drives the program at both ends of a measurement (`bench/gateway/load`): upstream and callers.
- `peers` knows each gateway: how it is installed, started and asked. `installing` puts peers where they lie.
- `scenarios` says what is asked, `measuring` asks it of everybody in turn, `measures` makes figures and ratios of it.
- `page` prints them, `picture` draws them.
- `guard` holds our processor time against `relay`, which does nothing but pass bytes on.

Knows of the gateway under test only its command line and its routes document. Linux alone: processor time of other
processes, affinity and epoll are read and set as Linux has them.
"""
