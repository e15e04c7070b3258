"""The gateway measured against its peers and against a bare relay, all in one run.

- `load` builds and drives the program at both ends of a measurement (`bench/gateway/load`): upstream and callers;
  `asking` is what it is asked and answers.
- `peers` knows each gateway, `installing` puts peers where they lie, `starting` runs one.
- `scenarios` says what is asked, `measuring` asks it of everybody in turn, `measures` makes figures and ratios of it,
  `goals` are the ratios that are wanted. `page` prints them, `picture` draws them.
- `guard` holds our processor time against `relay`, which does nothing but pass bytes on.
- `soak` holds what the gateway promises of requests whose engines abort.

Knows of the gateway under test only its command line and its routes document. Linux alone: processor time of other
processes, affinity and epoll are read and set as Linux has them.
"""
