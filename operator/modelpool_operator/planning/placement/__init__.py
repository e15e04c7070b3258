"""Which engine goes on which card of which node, and why: from what wants room to where it stands, or a refusal."""
