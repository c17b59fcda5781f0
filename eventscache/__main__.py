"""`python -m eventscache` is the `eventscache` command."""

from eventscache.cli.main import main

main()
