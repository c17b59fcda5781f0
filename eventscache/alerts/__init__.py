"""Messages to a webhook: a new group of errors, a large share of errors, a stream that fell silent."""
