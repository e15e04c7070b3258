"""What exists, reduced to what decisions need: children, pods, others on the cards, and what gateways are asked."""
