-- The journal of operations: contract calls that accounts sign and relayers bring. Order of the tables is the order of an
-- operation's life.

-- An operation is a promise that one call happens once, or that it is said why it did not. `seq` is never reused.
CREATE TABLE operations (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    key             BLOB    NOT NULL UNIQUE CHECK (length(key) = 32),
    tenant          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    digest          BLOB    NOT NULL CHECK (length(digest) = 32),  -- of the request
    account         BLOB    NOT NULL CHECK (length(account) = 20),
    target          BLOB    NOT NULL CHECK (length(target) = 20),
    value           BLOB    NOT NULL CHECK (length(value) = 32),
    data            BLOB    NOT NULL,
    call_hash       BLOB    NOT NULL CHECK (length(call_hash) = 32), -- of target, value and data
    gas             INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,                              -- Unix, in seconds
    line            TEXT,                                          -- those of one account in one line happen in their order
    follows         BLOB    CHECK (length(follows) = 32),          -- the key of the one before it in its line that runs
    priority        INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    signature       BLOB    CHECK (length(signature) = 65),        -- NULL until the account's key has signed
    state           TEXT    NOT NULL DEFAULT 'accepted' CHECK (state IN ('accepted', 'submitted', 'final', 'failed')),
    created_ms      INTEGER NOT NULL,
    submitted_ms    INTEGER,
    failure_code    TEXT,
    failure_detail  TEXT,
    relay_max       INTEGER NOT NULL DEFAULT 256 CHECK (relay_max > 0), -- lowered when a relay with it came to grief
    searched        INTEGER NOT NULL DEFAULT 0 CHECK (searched IN (0, 1)), -- run by an unknown transaction
    UNIQUE (tenant, idempotency_key),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL))
) STRICT;

CREATE INDEX operations_by_tenant ON operations (tenant, seq);
CREATE INDEX operations_unsettled ON operations (seq) WHERE state IN ('accepted', 'submitted');
CREATE INDEX operations_in_line ON operations (account, line, seq) WHERE line IS NOT NULL;

CREATE TRIGGER operations_edges BEFORE UPDATE OF state ON operations
WHEN NOT (
    (OLD.state = 'accepted' AND NEW.state IN ('submitted', 'final', 'failed')) OR
    (OLD.state = 'submitted' AND NEW.state IN ('submitted', 'final', 'failed'))
)
BEGIN SELECT RAISE(ABORT, 'undeclared edge of an operation'); END;

CREATE TRIGGER operations_promise BEFORE UPDATE OF
    key, tenant, idempotency_key, digest, account, target, value, data, call_hash, gas, deadline, line, priority, created_ms
ON operations
BEGIN SELECT RAISE(ABORT, 'a promise does not change'); END;

CREATE TRIGGER operations_signed BEFORE UPDATE OF signature, follows ON operations
WHEN OLD.signature IS NOT NULL AND NEW.signature IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'signed bytes do not change'); END;

CREATE TRIGGER operations_stay BEFORE DELETE ON operations
BEGIN SELECT RAISE(ABORT, 'an acknowledged operation is never deleted'); END;

-- Signed transactions that bring operations, written before they are sent. One nonce of an account is signed once.
CREATE TABLE relays (
    seq        INTEGER PRIMARY KEY,
    relayer    BLOB    NOT NULL CHECK (length(relayer) = 20),
    nonce      INTEGER NOT NULL,
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    raw        BLOB    NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'final', 'reverted', 'superseded')),
    created_ms INTEGER NOT NULL,
    UNIQUE (relayer, nonce)
) STRICT;

CREATE INDEX relays_pending ON relays (relayer, nonce) WHERE state = 'pending';
CREATE INDEX relays_ended ON relays (relayer, nonce) WHERE state <> 'pending';

CREATE TRIGGER relays_edges BEFORE UPDATE OF state ON relays WHEN OLD.state <> 'pending'
BEGIN SELECT RAISE(ABORT, 'undeclared edge of a relay'); END;

CREATE TRIGGER relays_bytes BEFORE UPDATE OF relayer, nonce, hash, raw, created_ms ON relays
BEGIN SELECT RAISE(ABORT, 'signed bytes do not change'); END;

CREATE TABLE relay_entries (
    relay     INTEGER NOT NULL REFERENCES relays (seq),
    position  INTEGER NOT NULL,
    operation INTEGER NOT NULL REFERENCES operations (seq),
    PRIMARY KEY (relay, position),
    UNIQUE (relay, operation)
) STRICT, WITHOUT ROWID;

-- Transactions in which operations ran, with the proof of each, shared by its operations.
CREATE TABLE executions (
    seq        INTEGER PRIMARY KEY,
    tx_hash    BLOB    NOT NULL CHECK (length(tx_hash) = 32),
    height     INTEGER NOT NULL,
    block_hash BLOB    NOT NULL CHECK (length(block_hash) = 32),
    block_ms   INTEGER NOT NULL,
    receipt    BLOB                                                -- CBOR; NULL where a network gives no certificates
) STRICT;

CREATE TABLE outcomes (
    operation INTEGER PRIMARY KEY REFERENCES operations (seq),
    execution INTEGER NOT NULL REFERENCES executions (seq),
    log_index INTEGER NOT NULL,
    succeeded INTEGER NOT NULL CHECK (succeeded IN (0, 1)),
    result    BLOB    NOT NULL
) STRICT;

CREATE TRIGGER operations_final AFTER UPDATE OF state ON operations
WHEN NEW.state = 'final' AND NOT EXISTS (SELECT 1 FROM outcomes WHERE operation = NEW.seq AND succeeded = 1)
BEGIN SELECT RAISE(ABORT, 'final without an effect'); END;

CREATE TRIGGER outcomes_tell BEFORE INSERT ON outcomes
WHEN NEW.succeeded = 0 AND (SELECT state FROM operations WHERE seq = NEW.operation) = 'final'
BEGIN SELECT RAISE(ABORT, 'an effect that was none'); END;

-- The last finalized block whose effects on operations are in this file.
CREATE TABLE operation_cursor (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    height INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER operation_cursor_forward BEFORE UPDATE ON operation_cursor WHEN NEW.height < OLD.height
BEGIN SELECT RAISE(ABORT, 'the cursor goes forward only'); END;
