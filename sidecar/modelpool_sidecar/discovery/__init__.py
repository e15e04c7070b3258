"""What is served where: the live routing table, and what feeds it.

`sources` read documents and addresses from a file or a cluster, `probes` asks engines whether they are ready,
`directory` keeps the table that follows. Knows engines and the API server; must not know requests. Called by `app`,
which runs it, and by `serving`, which reads the table and tells what became of attempts.
"""
