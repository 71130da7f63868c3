"""``python -m scorebed`` is ``scorebed``."""

from scorebed.cli.main import main

main()
