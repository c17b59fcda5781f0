"""`eventscache tail`: the cached and new events of a running sidecar on the terminal, read through HTTP."""
