"""Reading of other systems' data; what was read is written by the operations, like everything else."""
