"""Which extra collections an event is offered to, besides `all` and `error`."""
