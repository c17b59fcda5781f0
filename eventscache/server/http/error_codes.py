"""The codes of error responses: short, and never changed once they are released. The README describes each."""

from typing import Final, Literal, get_args

ErrorCode = Literal[
    "admin_token_needed",
    "body_timeout",
    "body_too_large",
    "forbidden",
    "head_too_long",
    "ingestion_closed",
    "internal_error",
    "invalid_gzip",
    "invalid_http",
    "invalid_parameter",
    "malformed_body",
    "method_not_allowed",
    "no_valid_record",
    "not_confirmed",
    "not_found",
    "not_ready",
    "not_stored",
    "queue_full",
    "storage_unavailable",
    "too_many_events",
    "too_many_failed_logins",
    "too_many_follows",
    "too_many_large_bodies",
    "too_many_new_streams",
    "too_many_scopes",
    "too_many_subscribers",
    "unknown_token",
    "unsupported_content_type",
    "unsupported_encoding",
    "unsupported_expectation",
    "websocket_unsupported",
    "wrong_token_type",
]

ERROR_CODES: Final[tuple[ErrorCode, ...]] = get_args(ErrorCode)
