"""``python -m fastinet``."""

from fastinet.cli import main

main()
