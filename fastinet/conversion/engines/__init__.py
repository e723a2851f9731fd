"""Engines run the tasks of a conversion: on this machine, or on a Ray cluster."""
