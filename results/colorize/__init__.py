"""The product: colour photographs and films of any size, from the command line, a page in the browser, or Python."""

from results.colorize.command import colorize, main

__all__ = ["colorize", "main"]
