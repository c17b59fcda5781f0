"""The configuration: Jitsu's file, the environment, the command line."""

import hashlib
from pathlib import Path

import pytest

from eventscache.access.api_keys import ApiKey, KeyList
from eventscache.config import loading
from eventscache.errors import ConfigError
from eventscache.logs import hide_secrets

# Every key of Jitsu's documentation of the cache, and sections that are Jitsu's own business.
JITSUS_FILE = """
server:
  port: 8001
  name: event-us-01
  admin_token: '${env.SOME_TOKEN|from-default}'
  max_event_size: 60000
  cache:
    enabled: true
    events:
      size: 200
      time_window_sec: 30
      trim_interval_ms: 600
      max_malformed_event_size_bytes: 5000
    pool:
      size: 5
api_keys:
  - id: site
    client_secret: js.secret
    server_secret: s2s.secret
    origins: ["*abc.com"]
  - just-a-secret
destinations:
  my_postgres:
    type: postgres
    datasource: {host: "${env.NOT_SET_HERE}", password: x}
meta:
  storage:
    redis:
      host: redis_host
      port: 6379
      password: "secret#password"
      ttl_minutes:
        events_cache: 60
log: {path: /var/log}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "eventnative.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(
    folder: Path, text: str = "", environ: dict[str, str] | None = None, **options: object
) -> loading.LoadedSettings:
    return loading.load(write(folder, text), environ or {}, options)


def test_without_configuration_the_defaults_are_used() -> None:
    loaded = loading.load(None, {}, {})
    settings = loaded.settings
    assert (settings.host, settings.port, settings.storage) == ("127.0.0.1", 8095, "memory://")
    assert (settings.size, settings.window_seconds, settings.pool_size) == (100, 60, 10)
    assert set(loaded.sources.values()) == {"default"}


def test_jitsus_own_file_is_read_unchanged(tmp_path: Path) -> None:
    loaded = load(tmp_path, JITSUS_FILE)
    settings = loaded.settings
    assert (settings.size, settings.window_seconds, settings.trim_interval_ms) == (200, 30, 600)
    assert (settings.max_malformed_bytes, settings.pool_size, settings.max_event_bytes) == (5000, 5, 60_000)
    assert settings.port == 8095
    assert settings.all_admin_tokens == ("from-default",)
    assert settings.ttl_minutes == 60
    assert settings.storage == "redis://:secret%23password@redis_host:6379/0"
    assert loaded.sources["storage"] == "file meta.storage.redis"
    assert settings.api_keys.keys[0] == ApiKey("site", "js.secret", "s2s.secret", ("*abc.com",))
    assert settings.api_keys.keys[1] == ApiKey(hashlib.md5(b"just-a-secret").hexdigest(), "just-a-secret")


def test_alerts_are_configured_in_a_section_or_in_the_environment(tmp_path: Path) -> None:
    text = """
eventscache:
  alerts: {webhook: "${env.HOOK}", error_share: 5%, silent_minutes: 30, ids: [shop-*], namespaces: destination}
"""
    hook = "https://hooks.example.org/services/T/B/x?sig=a%2Fb"
    loaded = load(tmp_path, text, {"HOOK": hook, "EVENTSCACHE_ALERTS_LINK": "https://h/", "EVENTSCACHE_ALERTS_IDS": ""})
    settings = loaded.settings
    assert (settings.alerts_webhook, settings.alerts_format, settings.alerts_link) == (hook, "slack", "https://h")
    assert (settings.alerts_error_share, settings.alerts_silent_minutes) == (0.05, 30)
    assert (settings.alerts_ids, settings.alerts_namespaces) == (("shop-*",), ("destination",))
    shown = {name: value for name, value, _ in loaded.rows()}
    assert shown["eventscache.alerts.webhook"] == "***"
    assert shown["eventscache.alerts.namespaces"] == "destination"
    assert "hooks.example.org" not in f"{shown} {settings!r}"


def test_our_section_overrides_jitsus(tmp_path: Path) -> None:
    ours = """
eventscache:
  enabled: false
  host: localhost
  port: 9000
  admin_tokens: [one, two]
  ttl_minutes: 5
  storage: redis://elsewhere/3
  cache: {events: {size: 7, time_window_sec: 1}, pool: {size: 3}}
"""
    settings = load(tmp_path, JITSUS_FILE + ours).settings
    assert (settings.enabled, settings.host, settings.port) == (False, "localhost", 9000)
    assert (settings.size, settings.window_seconds, settings.pool_size) == (7, 1, 3)
    assert settings.all_admin_tokens == ("one", "two", "from-default")
    assert (settings.ttl_minutes, settings.storage) == (5, "redis://elsewhere/3")


def test_the_environment_overrides_the_file_and_the_command_line_both(tmp_path: Path) -> None:
    environ = {
        "SERVER_CACHE_EVENTS_SIZE": "300",
        "EVENTSCACHE_CACHE_POOL_SIZE": "4",
        "SERVER_CACHE_POOL_SIZE": "9",
        "EVENTSCACHE_PORT": "7000",
        "EVENTSCACHE_HOST": "::1",
        "EVENTSCACHE_ADMIN_TOKENS": "a, b",
        "API_KEYS": "k1,k2",
        "SOME_TOKEN": "from-environment",
        "EVENTSCACHE_OPEN_INGESTION": "true",
        "EVENTSCACHE_ADMIN_TOKENS_FILE": "/run/secrets/admins",
        "EVENTSCACHE_INGEST_TOKENS_FILE": "/run/secrets/ingesters",
        "EVENTSCACHE_ACCESS_LOG": "true",
        "EVENTSCACHE_QUEUE_BYTES": "",
    }
    loaded = load(tmp_path, JITSUS_FILE, environ, port=7001, host=None)
    settings = loaded.settings
    assert (settings.size, settings.pool_size, settings.port, settings.host) == (300, 4, 7001, "::1")
    assert settings.all_admin_tokens == ("a", "b", "from-environment")
    assert [key.client_secret for key in settings.api_keys.keys] == ["k1", "k2"]
    assert settings.open_ingestion
    assert settings.access_log
    assert (settings.admin_tokens_file, settings.ingest_tokens_file) == (
        "/run/secrets/admins",
        "/run/secrets/ingesters",
    )
    assert loaded.sources["size"] == "environment SERVER_CACHE_EVENTS_SIZE"
    assert loaded.sources["port"] == "command line"
    assert loaded.sources["queue_bytes"] == "default"


def test_api_keys_may_be_a_url(tmp_path: Path) -> None:
    url = "http://configurator:7000/api/v1/apikeys?token=hidden"
    loaded = load(tmp_path, f"api_keys: '{url}'")
    assert loaded.settings.api_keys == KeyList(url=url)
    assert "hidden" not in str(loaded.rows())


def test_the_storage_comes_from_the_first_source_that_names_one(tmp_path: Path) -> None:
    ours = "eventscache: {storage: 'redis://file'}\n"
    both = {"REDIS_URL": "redis://variable", "EVENTSCACHE_STORAGE": "redis://ours"}
    assert load(tmp_path, ours + JITSUS_FILE, both, storage="redis://option").settings.storage == "redis://option"
    assert load(tmp_path, ours + JITSUS_FILE, both).settings.storage == "redis://ours"
    assert load(tmp_path, ours + JITSUS_FILE, {"REDIS_URL": "redis://variable"}).settings.storage == "redis://file"
    # The variable is no short cut past what Jitsu's file says.
    jitsus = load(tmp_path, JITSUS_FILE, {"REDIS_URL": "redis://variable"})
    assert jitsus.settings.storage == "redis://:secret%23password@redis_host:6379/0"
    assert jitsus.sources["storage"] == "file meta.storage.redis"
    assert load(tmp_path, "", {"REDIS_URL": "redis://variable"}).settings.storage == "redis://variable/0"
    assert load(tmp_path, "meta: {storage: {redis: {host: '${env.REDIS_HOST|}'}}}").settings.storage == "memory://"


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("{host: h}", "redis://h:6379/0"),
        ("{host: 'h:7000', database: 2}", "redis://h:7000/2"),
        ("{host: h, port: '7001', password: 'p@:/w'}", "redis://:p%40%3A%2Fw@h:7001/0"),
        ("{host: 'redis://:pw@h:1'}", "redis://:pw@h:1/0"),
        ("{host: '\"redis://h:1/5\"', password: x}", "redis://:x@h:1/5"),
        ("{host: 'rediss://h:1', tls_skip_verify: true}", "rediss://h:1/0?tls_skip_verify=true"),
        ("{host: 'rediss://h:1'}", "rediss://h:1/0"),
        ("{host: 'sentinel://m:pw@a:1,b:2', database: 3}", "sentinel://m:pw@a:1,b:2/3?sentinel_password=pw"),
        ("{host: 'sentinel://m@a:1,b:2', password: 'p@'}", "sentinel://m:p%40@a:1,b:2/0?sentinel_password=p%40"),
        ("{host: 'a:1,b', sentinel_master_name: m, password: pw}", "sentinel://m:pw@a:1,b/0?sentinel_password=pw"),
        ("{host: a, port: 6379, sentinel_master_name: m}", "sentinel://m@a:6379/0"),
        ("{host: 'a,b:1', port: 5, sentinel_master_name: m}", "sentinel://m@a:5,b:1/0"),
        ("{host: 'sentinel://a:1', sentinel_master_name: m}", "sentinel://m@a:1/0"),
        ("{host: 'redis://h', port: 7000, database: 2, password: 123}", "redis://:123@h:7000/2"),
        ("{host: 'redis://:own@h', password: other}", "redis://:own@h/0"),
        ("{host: 'rediss://h', tls_skip_verify: 'false', password: ''}", "rediss://h/0"),
        ("{host: 'redis://h', tls_skip_verify: true}", "redis://h/0"),
        ("{host: '::1'}", "redis://[::1]:6379/0"),
        ("{host: '[::1]:7'}", "redis://[::1]:7/0"),
        ("{host: 'h:1', port: ''}", "redis://h:1/0"),
        ("{HOST: h, Port: 7, Password: pw}", "redis://:pw@h:7/0"),
        ("{host: 'unix:///tmp/redis.sock?db=1'}", "unix:///tmp/redis.sock?db=1"),
        ("{host: 'redis+cluster://a,b', password: pw, port: 7}", "redis+cluster://:pw@a:7,b:7"),
    ],
)
def test_jitsus_redis_section_becomes_a_url(tmp_path: Path, section: str, url: str) -> None:
    assert load(tmp_path, f"meta: {{storage: {{redis: {section}}}}}").settings.storage == url


ERRORS = {
    "eventscache: {alerts: {webhook: [a]}}": "eventscache.alerts.webhook: must be a string",
    "eventscache: {alerts: {webhook: 'ftp://h'}}": "eventscache.alerts.webhook: not a usable address",
    "eventscache: {alerts: {webhok: 'http://h'}}": "eventscache.alerts.webhok: unknown setting; did you mean",
    "eventscache: {alerts: {format: Slack}}": "eventscache.alerts.format: must be slack or teams, not 'Slack'",
    "eventscache: {alerts: {new_error_group: 5}}": "eventscache.alerts.new_error_group: must be true or false, not 5",
    "eventscache: {alerts: {error_share: 5}}": "eventscache.alerts.error_share: must be a number from 0 to 1",
    "eventscache: {alerts: {error_share: 101%}}": "eventscache.alerts.error_share: must be a number from 0 to 1",
    "eventscache: {alerts: {error_share: 'x%'}}": "eventscache.alerts.error_share: must be a number from 0 to 1",
    "eventscache: {alerts: {error_share: true}}": "eventscache.alerts.error_share: must be a number from 0 to 1",
    "eventscache: {alerts: {error_share_min_events: 0}}": "eventscache.alerts.error_share_min_events: must be a whole",
    "eventscache: {alerts: {silent_minutes: -1}}": "eventscache.alerts.silent_minutes: must be a whole number from 0",
    'eventscache: {alerts: {ids: ["a\\0"]}}': "eventscache.alerts.ids: ids: the id holds the invisible character",
    "eventscache: {alerts: {ids: 'a,,,b', namespaces: all}}": "eventscache.alerts.namespaces: namespaces can be only",
    "eventscache: {alerts: {link: 'http://u:p@h'}}": "eventscache.alerts.link: must be http(s)://host",
    "eventscache: {alerts: true}": "eventscache.alerts: must be a section",
    "eventscache: {prot: 1}": "eventscache.prot: unknown setting; did you mean eventscache.port?",
    "eventscache: {mask: [a]}": "eventscache.mask: must be a section",
    "eventscache: {mask: {drops: [a]}}": "eventscache.mask.drops: unknown setting; did you mean eventscache.mask.drop?",
    "eventscache: {mask: {drop: 5}}": "eventscache.mask.drop: must be a list of strings",
    "eventscache: {mask: {drop: [a..b]}}": "eventscache.mask.drop: 'a..b' is no path such as user.email",
    "eventscache: {mask: {ip: 5}}": "eventscache.mask.ip: must be true, false or a list of paths, not 5",
    "eventscache: {mask: {ip: ['a[0]']}}": "eventscache.mask.ip: 'a[0]' is no path",
    "eventscache: {mask: {hash: [a]}}": "eventscache.mask.key: needed to hash fields",
    "eventscache: {mask: {hash: [a], key: 12345}}": "eventscache.mask.key: must be a string",
    "eventscache: {storage: 12345}": "eventscache.storage: must be a string",
    "server: {cache: {event: {size: 1}}}": "server.cache.event: unknown setting",
    "server: {cache: {events: {sise: 1}}}": "server.cache.events.sise: unknown setting; did you mean",
    "server: {cache: {events: 5}}": "server.cache.events: must be a section",
    "server: {cache: 5}": "server.cache: must be a section",
    "server: 5": "server: must be a section",
    "eventscache: [1]": "eventscache: must be a section",
    "server: {cache: {events: {size: many}}}": "server.cache.events.size: must be a whole number from 1",
    "server: {cache: {events: {size: 0}}}": "server.cache.events.size: must be a whole number from 1",
    "server: {cache: {events: {size: true}}}": "server.cache.events.size: must be a whole number",
    "server: {cache: {events: {size: 1.5}}}": "server.cache.events.size: must be a whole number",
    "server: {cache: {enabled: maybe}}": "server.cache.enabled: must be true or false",
    "server: {cache: {events: {size: 10000000, time_window_sec: 31536000}}}": "server.cache.events.size: size times",
    "eventscache: {port: 70000}": "eventscache.port: must be a whole number from 0 to 65535, not 70000",
    "eventscache: {host: 5}": "eventscache.host: must be a string",
    "eventscache: {admin_tokens: 5}": "eventscache.admin_tokens: must be a list of strings",
    "eventscache: {admin_tokens_file: [a]}": "eventscache.admin_tokens_file: must be a string",
    "eventscache: {admin_token_file: a}": "eventscache.admin_token_file: unknown setting; did you mean",
    "eventscache: {access_log: loud}": "eventscache.access_log: must be true or false",
    "eventscache: {admin_tokens: [12345]}": "eventscache.admin_tokens: must be a string",
    "eventscache: {prefix: 'a{b}'}": "eventscache.prefix: must be 1 to 64",
    "server: {admin_token: '${env.NOT_THERE}'}": "server.admin_token: ${env.NOT_THERE} is not set and has no default",
    "api_keys: [[5]]": "api_keys: entry 0 is neither",
    "api_keys: [true]": "api_keys: entry 0 is neither",
    "api_keys: [{id: x}]": "api_keys: entry 0 has neither",
    "api_keys: [{id: 'a,b', client_secret: x}]": "api_keys: entry 0: the id holds a comma",
    "api_keys: [{id: true, client_secret: x}]": "api_keys: entry 0: id must be a string",
    "api_keys: {site: 12345}": "api_keys: there is no list of tokens",
    "api_keys: ftp://12345": "api_keys: the form is not recognised; it must be",
    "api_keys: 'k1,http://12345'": "api_keys: the form is not recognised",
    "api_keys: ./keys.json": "api_keys: the form is not recognised",
    "api_keys: 'http://'": "api_keys: not a usable address; it is http",
    "api_keys: 'http://h:99999/12345'": "api_keys: not a usable address",
    "api_keys: '{\"tokens\": 12345'": "api_keys: not JSON",
    "api_keys: true": "api_keys: must be a string",
    "server: {auth: [[a]]}": "server.auth: entry 0 is neither",
    "server: {s2s_auth: /keys.json}": "server.s2s_auth: must be secrets, not an address",
    "configurator: {base_url: /configurator}": "configurator.base_url: not a usable address",
    "configurator: {base_url: 'http://h', admin_token: [12345]}": "configurator.admin_token: must be a string",
    "configurator: [1]": "configurator: must be a section",
    "server: {admin_token: [12345]}": "server.admin_token: must be a string",
    "server: {admin_token: yes}": "server.admin_token: must be a string",
    "server: {admin_token: ' '}": "server.admin_token: holds no token",
    "eventscache: {admin_tokens: ['']}": "eventscache.admin_tokens: holds no token",
    "eventscache: {ingest_tokens: ','}": "eventscache.ingest_tokens: holds no token",
    "eventscache: {admin_tokens: ['${env.NONE|}']}": "eventscache.admin_tokens: holds no token",
    "server: {admin_token: '${env.A'}": "server.admin_token: a placeholder must be ${env.NAME}",
    "server: {admin_token: '${env.A-B}'}": "server.admin_token: a placeholder must be",
    "server: {admin_token: '${env.A|x|env.B}'}": "server.admin_token: a placeholder must be",
    "eventscache: {read_tokens: 12345}": "eventscache.read_tokens: must be a list of entries",
    "eventscache: {read_tokens: ['12345']}": "eventscache.read_tokens: entry 1: must have token, ids",
    "eventscache: {read_tokens: [{token: '12345'}]}": "eventscache.read_tokens: entry 1: names no ids",
    "eventscache: {read_tokens: [{token: '12345', ids: a}]}": "eventscache.read_tokens: read tokens need "
    "eventscache.admin_tokens",
    "eventscache: {read_tokens_file: /a/file}": "eventscache.read_tokens: read tokens need eventscache.admin_tokens",
    "server: {admin_token: demo_admin}\neventscache: {read_tokens_file: /a}": "read_tokens: read tokens need",
    "server: {admin_token: '12345'}\neventscache: {read_tokens: [{token: 12345, ids: a}]}": "eventscache.read_tokens: "
    "entry 1: its token is an admin or ingest token too",
    "eventscache: {admin_tokens: [a], ingest_tokens: ['12345'], read_tokens: [{token: 12345, ids: a}]}": "eventscache."
    "read_tokens: entry 1: its token is an admin or ingest token too",
    "server: {read_tokens: [a]}": "server.read_tokens: unknown setting; did you mean eventscache.read_tokens?",
    "read_token: a": "read_token: unknown setting; did you mean eventscache.read_tokens?",
    "server: {admin_tokens: [a]}": "server.admin_tokens: unknown setting; did you mean eventscache.admin_tokens?",
    "admin_token: a": "admin_token: unknown setting; did you mean server.admin_token?",
    "server.ingest_tokens: a": "server.ingest_tokens: unknown setting; did you mean eventscache.ingest_tokens?",
    "apiKeys: [a]": "apikeys: unknown setting; did you mean api_keys?",
    "server: {a: 1}\nSERVER: {admin_token: x}": "server: is there twice",
    "server: {Admin_Token: x, admin_token: y}": "server.admin_token: is there twice",
    "server: 5\nserver.admin_token: x": "server: must be a section",
    "server.cache.events.sise: 1": "server.cache.events.sise: unknown setting; did you mean",
    "server: &a {x: *a}": "nested too deeply",
    "meta: {storage: {redis: {host: 'http://a'}}}": "meta.storage.redis.host: must be a name",
    "meta: {storage: {redis: {host: 'ftp://a'}}}": "meta.storage.redis.host: must be",
    "meta: {storage: {redis: {host: '12345@h'}}}": "meta.storage.redis.host: must be",
    "meta: {storage: {redis: {host: a, port: x}}}": "meta.storage.redis.port: must be a whole number",
    "meta: {storage: {redis: {host: a, tls_skip_verify: x}}}": "meta.storage.redis.tls_skip_verify: must be true",
    "meta: {storage: {redis: {host: a, password: [12345]}}}": "meta.storage.redis.password: must be a string",
    "meta: {storage: {redis: a}}": "meta.storage.redis: must be a section",
    "a: [": "line 1, column 5: not valid YAML",
    "- 1": "not a mapping",
}


@pytest.mark.parametrize(("text", "message"), ERRORS.items())
def test_an_error_is_one_line_that_names_the_setting(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as fault:
        load(tmp_path, text)
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)
    assert "12345" not in str(fault.value)


def test_a_mask_is_read_from_the_file_or_the_environment(tmp_path: Path) -> None:
    ours = "eventscache: {mask: {drop: [user.email, '**.phone'], hash: id, ip: true, key: the-hidden-key}}"
    loaded = load(tmp_path, ours, {"EVENTSCACHE_MASK_DROP": "a, b.*"})
    settings = loaded.settings
    assert (settings.mask_drop, settings.mask_hash, settings.mask_ip) == (("a", "b.*"), ("id",), True)
    assert settings.mask
    rows = {key: value for key, value, _ in loaded.rows()}
    assert rows["eventscache.mask.drop"] == "a, b.*"
    assert (rows["eventscache.mask.ip"], rows["eventscache.mask.key"]) == ("true", "***")

    assert load(tmp_path, ours, {"EVENTSCACHE_MASK_IP": "user.ip,**.addr"}).settings.mask_ip == ("user.ip", "**.addr")
    assert load(tmp_path, "eventscache: {mask: {drop: [], ip: false, key: unused}}").settings.mask is None


def test_read_tokens_are_entries_in_the_file_and_json_in_the_environment(tmp_path: Path) -> None:
    ours = """
eventscache:
  admin_tokens: [admin]
  read_tokens:
    - {token: "${env.SHOP}", ids: [shop-*, checkout]}
    - {token: hidden-2, ids: "*", namespaces: [destination]}
"""
    loaded = load(tmp_path, ours, {"SHOP": "hidden-1"})
    assert [token.token for token in loaded.settings.checked_read_tokens] == ["hidden-1", "hidden-2"]
    rows = {key: value for key, value, _ in loaded.rows()}
    shown = "*** for shop-* checkout of token and destination; *** for * of destination"
    assert rows["eventscache.read_tokens"] == shown
    assert "hidden" not in repr(loaded)

    environ = {"SHOP": "x", "EVENTSCACHE_READ_TOKENS": '[{"token": "hidden-3", "ids": ["blog"]}]'}
    (token,) = load(tmp_path, ours, environ).settings.read_tokens
    assert (token.token, token.streams.ids) == ("hidden-3", ("blog",))
    with pytest.raises(ConfigError, match=r"^EVENTSCACHE_READ_TOKENS: must be a list of entries"):
        load(tmp_path, ours, {"SHOP": "x", "EVENTSCACHE_READ_TOKENS": "hidden-3"})
    with pytest.raises(ConfigError, match=r"^EVENTSCACHE_READ_TOKEN: unknown variable"):
        load(tmp_path, ours, {"SHOP": "x", "EVENTSCACHE_READ_TOKEN": "hidden-3"})


def test_an_error_in_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigError, match=r"^EVENTSCACHE_PORT: .*'http' \(from environment EVENTSCACHE_PORT\)"):
        loading.load(None, {"EVENTSCACHE_PORT": "http"}, {})


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        loading.load(tmp_path / "none.yaml", {}, {})
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        loading.load(tmp_path / "latin.yaml", {}, {})


def test_the_rows_hide_every_secret(tmp_path: Path) -> None:
    environ = {"EVENTSCACHE_ADMIN_TOKENS": "hidden-1", "EVENTSCACHE_INGEST_TOKENS": "hidden-2"}
    shown = load(tmp_path, JITSUS_FILE.replace("from-default", "hidden-3"), environ).rows()
    text = "\n".join(map(str, shown))
    for secret in ("hidden", "secret#", "secret%23", "js.secret", "s2s.secret", "just-a-secret"):
        assert secret not in text
    rows = {key: (value, source) for key, value, source in shown}
    assert rows["eventscache.admin_tokens"] == ("***", "environment EVENTSCACHE_ADMIN_TOKENS")
    assert rows["eventscache.storage"] == ("redis://***@redis_host:6379/0", "file meta.storage.redis")
    assert rows["server.cache.events.size"] == ("200", "file server.cache.events.size")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pw@h:1/0?password=x", "redis://***@h:1/0"),
        ("redis://h", "redis://h"),
        ("unix:///tmp/a.sock?db=1", "unix:///tmp/a.sock"),
        ("redis://:p@ss@h/0", "redis://***@h/0"),
        ("memory://", "memory://"),
        ("memory:", "memory:"),
        ("redis://h:6379?password=hidden", "redis://h:6379"),
        ("redis://:pa/ss@h:1/0", "redis://***@h:1/0"),
        ("redis://:pa?ss@h:1/0", "redis://***@h:1/0"),
        ("redis:hidden@h", "redis:"),
    ],
)
def test_secrets_in_urls_are_hidden(url: str, shown: str) -> None:
    assert hide_secrets(url) == shown
