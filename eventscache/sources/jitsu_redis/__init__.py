"""The source `jitsu_redis`: follows the lists that Jitsu classic keeps in its Redis."""

from eventscache.sources.jitsu_redis.source import JitsuRedis

__all__ = ["JitsuRedis"]
