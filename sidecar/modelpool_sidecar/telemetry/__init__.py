"""How the gateway tells about itself: metrics and log lines. Usable by effects only; routing and protocols say nothing."""
