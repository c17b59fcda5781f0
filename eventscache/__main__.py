"""`python -m eventscache` is the `eventscache` command."""

from eventscache.cli import main

main()
