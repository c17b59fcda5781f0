"""`eventscache bench`: load-tests a running server through HTTP, and checks its ledger."""
