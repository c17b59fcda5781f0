"""`eventscache bench`: load-tests a running deployment through HTTP, and checks its ledger."""
