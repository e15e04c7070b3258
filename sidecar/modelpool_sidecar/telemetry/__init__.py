"""How the gateway tells about itself: metrics and log lines. For effects only; routing and protocols say nothing."""
