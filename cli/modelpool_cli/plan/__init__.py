"""`modelpool plan`: the operator's own placement of a pool, as a table or as JSON, before anything is applied."""
