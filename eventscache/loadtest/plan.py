"""The options of a load test."""

from dataclasses import dataclass, field
from pathlib import Path

from eventscache.errors import ConfigError, InvalidEvent
from eventscache.stream import Namespace, check_id

_MADE_UP_STREAMS = 100
_SECONDS = 10.0


@dataclass(frozen=True)
class LoadPlan:
    """The options of the command; without a `rate` it is a closed loop.

    Raises `ConfigError` if options exclude each other.
    """

    namespace: Namespace = Namespace.TOKEN
    rate: float | None = None
    connections: int = 32
    ids: int | None = None
    id_prefix: str = "bench"
    tokens: tuple[str, ...] = field(default=(), repr=False)
    batch: int = 1
    event_bytes: int = 1000
    file: Path | None = None
    errors: float = 0.0
    malformed: float = 0.0
    ack: str | None = None
    duration_seconds: float | None = None
    requests: int | None = None
    timeout_seconds: float = 10.0
    settle_seconds: float = 10.0
    shared: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the options together."""
        if self.namespace is Namespace.TOKEN:
            if self.errors:
                raise ConfigError("--errors needs --namespace destination: Jitsu's ingestion takes no errors")
            if self.ack:
                raise ConfigError("--ack needs --namespace destination: Jitsu's ingestion never waits")
            if self.tokens and self.ids:
                raise ConfigError("--ids makes tokens up: give either that or --token, once for each stream")
        elif len(self.tokens) > 1:
            raise ConfigError("--token can be given more than once only with --namespace token")
        if any(not token or not token.isprintable() for token in self.tokens):
            raise ConfigError("--token: empty, or with characters that no header can hold")
        try:
            check_id(f"{self.id_prefix}{self.ids}")
        except InvalidEvent as fault:
            raise ConfigError(f"--id-prefix: {fault}") from None

    @property
    def streams(self) -> list[str]:
        """The ids of the streams; in the token namespace these are the tokens, and secret if they were given."""
        if self.namespace is Namespace.TOKEN and self.tokens:
            return list(self.tokens)
        return [f"{self.id_prefix}{number}" for number in range(self.ids or _MADE_UP_STREAMS)]

    @property
    def seconds(self) -> float | None:
        """How long to send; None if only the number of requests is bounded."""
        return _SECONDS if self.duration_seconds is None and self.requests is None else self.duration_seconds
