"""Alerts: what is told, once, and how it reaches the webhook."""
