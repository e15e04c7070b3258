"""The recorded pipeline, replayed through the real gateway in front of simulated engines.

`pipeline` is the query as data, `fitting` and `roofline` say how fast engines compute, `scenarios` what is compared,
`stage` starts the processes, `client` asks them as the pipeline does, `timeline` and `report` show what came of it.
Nothing here decides a result: every figure is measured on processes that answer over sockets.
"""
