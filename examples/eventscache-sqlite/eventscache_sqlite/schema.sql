BEGIN IMMEDIATE;

-- One row per stream. `turn` numbers the inserts of a namespace: the stream of the highest one was active last, however
-- the clock was set. `state` is the `StreamState` of the stream, as eventscache packs it.
CREATE TABLE IF NOT EXISTS streams (
    key        INTEGER PRIMARY KEY,
    prefix     TEXT    NOT NULL,
    namespace  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    turn       INTEGER NOT NULL,
    active_us  INTEGER NOT NULL, -- Unix time of the last batch
    expires_us INTEGER NOT NULL,
    state      BLOB    NOT NULL,
    UNIQUE (prefix, namespace, id)
);
CREATE INDEX IF NOT EXISTS streams_by_turn ON streams (prefix, namespace, turn);
CREATE INDEX IF NOT EXISTS streams_by_expiry ON streams (prefix, expires_us);

-- One row per event and collection, so that either is trimmed by itself.
CREATE TABLE IF NOT EXISTS events (
    stream      INTEGER NOT NULL REFERENCES streams ON DELETE CASCADE,
    collection  TEXT    NOT NULL, -- all or error
    sequence    INTEGER NOT NULL,
    admitted_us INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    event       BLOB    NOT NULL,
    PRIMARY KEY (stream, collection, sequence)
);

PRAGMA application_id = 1702257505; -- 'evca'
PRAGMA user_version = 1;

COMMIT;
