"""``python -m api`` is ``entrepot``."""

from .cli import main

main(prog_name="entrepot")
