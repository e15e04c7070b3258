"""Operator and gateway as processes beside a cluster, and the ModelPools and routes that a test gives them.

`programs` runs a program and reads its log; `operator_program` and `gateway_program` know one each; `installation`
gives them the chart's roles. `pools`, `fleet` and `route_documents` are what they work on.
"""
