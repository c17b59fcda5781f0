"""Who may read and send: API keys, tokens, and what is known of who fails."""
