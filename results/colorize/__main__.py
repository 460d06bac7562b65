"""`python -m results.colorize` is the console command."""

from results.colorize.command import main

main()
