"""What the operator costs with hundreds of ModelPools, on a real control plane: a program, see `__main__`."""
