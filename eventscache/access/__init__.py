"""Who may read and write: API keys, tokens, their reloaders, and the throttle of failed logins."""
