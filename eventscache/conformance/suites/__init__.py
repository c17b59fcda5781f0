"""The suites by topic, and all of them in one class. They need no pytest."""
