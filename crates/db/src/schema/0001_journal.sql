-- The journal of records. Order of the tables is the order of a record's life.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A record is a promise to get one commitment claimed on chain. `seq` is the order of acceptance and is never reused.
CREATE TABLE records (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              BLOB    NOT NULL UNIQUE CHECK (length(id) = 32),
    tenant          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    digest          BLOB    CHECK (length(digest) = 32),           -- of the request; NULL once erased
    record_key      BLOB    NOT NULL CHECK (length(record_key) = 32),
    commitment      BLOB    NOT NULL CHECK (length(commitment) = 32),
    state           TEXT    NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'submitted', 'final', 'failed')),
    created_ms      INTEGER NOT NULL,
    erased_ms       INTEGER,
    failure_code    TEXT,
    failure_detail  TEXT,
    batch_max       INTEGER NOT NULL DEFAULT 512 CHECK (batch_max > 0), -- halved when a batch with it reverted
    searched        INTEGER NOT NULL DEFAULT 0 CHECK (searched IN (0, 1)), -- claimed on chain by an unknown transaction
    UNIQUE (tenant, idempotency_key),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL))
) STRICT;

CREATE INDEX records_by_tenant ON records (tenant, seq);
CREATE INDEX records_unsettled ON records (seq) WHERE state IN ('accepted', 'submitted');

CREATE TRIGGER records_edges BEFORE UPDATE OF state ON records
WHEN NOT (
    (OLD.state = 'accepted' AND NEW.state IN ('submitted', 'final', 'failed')) OR
    (OLD.state = 'submitted' AND NEW.state IN ('submitted', 'final', 'failed'))
)
BEGIN SELECT RAISE(ABORT, 'undeclared edge of a record'); END;

CREATE TRIGGER records_promise BEFORE UPDATE OF id, tenant, idempotency_key, record_key, commitment, created_ms ON records
BEGIN SELECT RAISE(ABORT, 'a promise does not change'); END;

CREATE TRIGGER records_stay BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'an acknowledged record is never deleted'); END;

-- What can be erased, apart from what cannot.
CREATE TABLE record_keys (
    record  INTEGER PRIMARY KEY REFERENCES records (seq),
    wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE contents (
    record INTEGER NOT NULL REFERENCES records (seq),
    part   INTEGER NOT NULL,                                       -- 0: the document; 1…: the attachments
    sealed BLOB    NOT NULL,
    PRIMARY KEY (record, part)
) STRICT;

-- Signed transactions, written before they are sent. One nonce is signed once.
CREATE TABLE batches (
    seq        INTEGER PRIMARY KEY,
    nonce      INTEGER NOT NULL UNIQUE,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    raw        BLOB    NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'final', 'reverted', 'superseded')),
    created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX batches_pending ON batches (nonce) WHERE state = 'pending';
CREATE INDEX batches_ended ON batches (nonce) WHERE state <> 'pending';

CREATE TRIGGER batches_edges BEFORE UPDATE OF state ON batches WHEN OLD.state <> 'pending'
BEGIN SELECT RAISE(ABORT, 'undeclared edge of a batch'); END;

CREATE TRIGGER batches_bytes BEFORE UPDATE OF nonce, hash, raw, created_ms ON batches
BEGIN SELECT RAISE(ABORT, 'signed bytes do not change'); END;

CREATE TABLE batch_entries (
    batch    INTEGER NOT NULL REFERENCES batches (seq),
    position INTEGER NOT NULL,
    record   INTEGER NOT NULL REFERENCES records (seq),
    PRIMARY KEY (batch, position),
    UNIQUE (batch, record)
) STRICT, WITHOUT ROWID;

-- Transactions that claimed records, with the proof of each, shared by its records.
CREATE TABLE anchors (
    seq        INTEGER PRIMARY KEY,
    tx_hash    BLOB    NOT NULL CHECK (length(tx_hash) = 32),
    height     INTEGER NOT NULL,
    block_hash BLOB    NOT NULL CHECK (length(block_hash) = 32),
    block_ms   INTEGER NOT NULL,
    log_index  INTEGER NOT NULL,
    receipt    BLOB    NOT NULL                                    -- CBOR, of the transaction
) STRICT;

CREATE TABLE claims (
    record     INTEGER PRIMARY KEY REFERENCES records (seq),
    anchor     INTEGER NOT NULL REFERENCES anchors (seq),
    leaf_index INTEGER NOT NULL,
    siblings   BLOB    NOT NULL CHECK (length(siblings) % 32 = 0)
) STRICT;

CREATE TRIGGER records_final AFTER UPDATE OF state ON records
WHEN NEW.state = 'final' AND NOT EXISTS (SELECT 1 FROM claims WHERE record = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'final without a claim'); END;

-- The last finalized block whose effects are in this file.
CREATE TABLE cursor (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    height INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER cursor_forward BEFORE UPDATE ON cursor WHEN NEW.height < OLD.height
BEGIN SELECT RAISE(ABORT, 'the cursor goes forward only'); END;
