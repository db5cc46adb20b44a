"""`python -m sekisho.cli`."""

from sekisho.cli import main

main()
