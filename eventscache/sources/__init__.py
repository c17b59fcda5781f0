"""Sources: what brings events that nobody sends. Each follows a place where Jitsu keeps what it did."""
