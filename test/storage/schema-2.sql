-- The tables as version 2 made them.
CREATE TABLE contents (queue_id TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, data BLOB) STRICT;
CREATE TABLE messages (
  queue_id TEXT NOT NULL PRIMARY KEY,
  sender TEXT NOT NULL COLLATE NOCASE,
  message_id TEXT,
  accepted_at INTEGER NOT NULL,
  doc TEXT NOT NULL,
  accepted TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_by_sender ON messages (sender);
CREATE INDEX messages_by_message_id ON messages (message_id) WHERE message_id IS NOT NULL;
CREATE TABLE recipients (
  queue_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (queue_id, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipients_by_address ON recipients (recipient COLLATE NOCASE);
CREATE INDEX recipients_open ON recipients (state) WHERE state IN ('queued', 'deferred', 'held', 'quarantined');
CREATE TABLE totals (name TEXT NOT NULL PRIMARY KEY, recipients INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO totals VALUES ('accepted', 0), ('delivered', 0), ('failed', 0), ('discarded', 0), ('deleted', 0);
CREATE TRIGGER count_end AFTER UPDATE OF state ON recipients WHEN new.state IN ('delivered', 'failed', 'discarded', 'deleted') BEGIN
  UPDATE totals SET recipients = recipients + 1 WHERE name = new.state;
END;
CREATE TABLE events (seq INTEGER PRIMARY KEY, queue_id TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
CREATE INDEX events_by_queue_id ON events (queue_id);
CREATE TABLE deferrals (
  job_id TEXT NOT NULL PRIMARY KEY,
  due_at INTEGER NOT NULL,
  accepted_at INTEGER,
  recipients INTEGER NOT NULL,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX deferrals_due ON deferrals (due_at);
CREATE INDEX deferrals_tally ON deferrals (accepted_at, recipients, due_at) WHERE due_at < 9007199254740991;
CREATE INDEX recipients_waiting ON recipients (substr(recipient, length(rtrim(recipient, replace(recipient, '@', ''))) + 1), queue_id, recipient, state) WHERE state IN ('deferred', 'held', 'quarantined');
CREATE TABLE scan_jobs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  enqueued_at INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  token TEXT,
  recipients INTEGER NOT NULL,
  dead INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX scan_jobs_open ON scan_jobs (visible_at, seq, token, recipients, enqueued_at) WHERE dead = 0;
CREATE INDEX scan_jobs_dead ON scan_jobs (recipients) WHERE dead = 1;
CREATE TABLE delivery_jobs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  enqueued_at INTEGER NOT NULL,
  visible_at INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  token TEXT,
  recipients INTEGER NOT NULL,
  dead INTEGER NOT NULL DEFAULT 0,
  reason TEXT,
  doc TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_jobs_open ON delivery_jobs (visible_at, seq, token, recipients, enqueued_at) WHERE dead = 0;
CREATE INDEX delivery_jobs_dead ON delivery_jobs (recipients) WHERE dead = 1;
PRAGMA user_version = 2;
