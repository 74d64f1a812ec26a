// Schema 3: what stays cheap with a million messages that wait. Recipients that wait and deferrals are counted by
// triggers, in the transaction that changes them, so that no gauge has to walk them; deferred scans are found among
// deferred deliveries; jobs have a priority.
import { HELD } from '../mail/job.ts'
import { NOT_HELD, WAITING } from './migration-2-sqlite.ts'

const WAITING_STATES = ['deferred', 'held', 'quarantined']

/** SQL for "a deferred scan"; the index on them is used with exactly this. */
export const SCAN_DEFERRAL = `doc ->> '$.job.kind' = 'scan'`

const notHeld = (row: 'new' | 'old') => `(${row}.due_at < ${HELD})`

// A recipient begins as queued, so it never waits from the start.
export const COUNTERS = `
  INSERT INTO totals VALUES ${WAITING_STATES.map(state => `('${state}', 0)`).join(', ')};
  CREATE TRIGGER count_waiting AFTER UPDATE OF state ON recipients
  WHEN old.state <> new.state AND (old.${WAITING} OR new.${WAITING}) BEGIN
    UPDATE totals SET recipients = recipients - 1 WHERE name = old.state AND old.${WAITING};
    UPDATE totals SET recipients = recipients + 1 WHERE name = new.state AND new.${WAITING};
  END;
  CREATE TABLE deferral_totals (deferrals INTEGER NOT NULL, recipients INTEGER NOT NULL) STRICT;
  INSERT INTO deferral_totals VALUES (0, 0);
  CREATE TRIGGER count_deferral AFTER INSERT ON deferrals WHEN new.${NOT_HELD} BEGIN
    UPDATE deferral_totals SET deferrals = deferrals + 1, recipients = recipients + new.recipients;
  END;
  CREATE TRIGGER count_deferral_end AFTER DELETE ON deferrals WHEN old.${NOT_HELD} BEGIN
    UPDATE deferral_totals SET deferrals = deferrals - 1, recipients = recipients - old.recipients;
  END;
  CREATE TRIGGER count_deferral_change AFTER UPDATE ON deferrals BEGIN
    UPDATE deferral_totals SET deferrals = deferrals + ${notHeld('new')} - ${notHeld('old')},
      recipients = recipients + ${notHeld('new')} * new.recipients - ${notHeld('old')} * old.recipients;
  END;
  CREATE INDEX deferrals_scan ON deferrals (due_at) WHERE ${SCAN_DEFERRAL};`

/** Of each priority by itself what is to be handed out next, and what is counted, in one index. */
export const openJobsIndex = (table: string) =>
  `CREATE INDEX ${table}_open ON ${table} (priority, visible_at, seq, token, recipients, enqueued_at) WHERE dead = 0;`

const withPriority = (table: string) => `
  ALTER TABLE ${table} ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
  DROP INDEX ${table}_open;
  ${openJobsIndex(table)}`

export const FROM_2_TO_3 = `
  ${COUNTERS}
  UPDATE totals SET recipients = (SELECT count(*) FROM recipients WHERE ${WAITING} AND state = name)
    WHERE name IN (${WAITING_STATES.map(state => `'${state}'`).join(', ')});
  UPDATE deferral_totals SET
    deferrals = (SELECT count(*) FROM deferrals WHERE ${NOT_HELD}),
    recipients = (SELECT coalesce(sum(recipients), 0) FROM deferrals WHERE ${NOT_HELD});
  ${withPriority('scan_jobs')}
  ${withPriority('delivery_jobs')}`
