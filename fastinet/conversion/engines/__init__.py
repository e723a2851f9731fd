"""Who carries out the tasks of a conversion: this machine, or a Ray cluster."""
