"""The `eventscache` command."""
