"""Programs that run beside engines, shipped as text. They know nothing of this package and import nothing of it."""
