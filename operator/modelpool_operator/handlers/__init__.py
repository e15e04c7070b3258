"""Where kopf enters: what wakes a pool, who does the work, and in which order.

- `watches` is what kopf watches, pools, and that each wakes itself. What wakes them beside is `cluster.reflector`.
- `workqueue` keeps the pools that are to be looked at: once each, one worker each, later when they failed.
- `workers` takes from it, and looks at every pool now and then although nothing happened.
- `reconcile` is one pass: parse, observe, plan, execute, report.
- `write_histories` remembers, for each pool, what others do to its children.
- `model_names` knows which pool serves a name that two pools have.
- `lifecycle` holds kopf's settings, each with its reason, and begins and ends the program's parts.
- `kopf_storage` keeps kopf from computing what no handler asks for.

Level, not edge: whatever happened, the same pass looks at everything anew.
"""
