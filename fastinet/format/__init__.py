"""The files of a dataset folder, as FORMAT.md defines them: their names, and reading and writing them."""
