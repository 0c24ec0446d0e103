"""`python -m bots` is `frontdesk`."""

from bots.cli import main

main()
