"""`python -m dstop` is `dstop`."""

from dstop.cli import main

main()
