"""Effects on a Kubernetes cluster, and the only room that talks to the API server's objects.

- `client` sends requests and knows no ModelPool; `kinds` is its table of paths, so that nothing is discovered.
- `errors` maps what can go wrong to our own exceptions, in one place.
- `mirror` holds what is known of children and pods, and `reflector` keeps it in step, by one watch per kind.
- `observe` gathers what one pass looks at, `execute` carries a plan out, `report` writes the status, `recorder` posts
  Events.

Decides nothing: what shall exist comes as a `planning.changes.plan.Plan`. Called by `handlers`.
"""
