"""The push: polls streams once for all subscribers, and sends each what is new for it."""
