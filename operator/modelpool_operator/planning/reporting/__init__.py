"""What is said of a pool: its conditions, every model with its reason, and what a person can do about it."""
