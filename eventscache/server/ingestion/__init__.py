"""What all ingestion routes share: who sends, what pages may read, and how events are taken."""
