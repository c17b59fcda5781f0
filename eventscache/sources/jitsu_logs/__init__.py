"""The source that follows the files in which Jitsu classic logs events."""

from eventscache.sources.jitsu_logs.source import JitsuLogs

__all__ = ["JitsuLogs"]
