// Schema 2: what operators' lists need. Accepting and delivering mail write none of these indexes: only recipients that
// wait are in `recipients_waiting`. Deferrals that are held count as such, not as deferrals.
import { HELD } from '../mail/job.ts'

/** The domain of a recipient's address: what follows the last @ (a quoted local part may hold others). */
export const DOMAIN = "substr(recipient, length(rtrim(recipient, replace(recipient, '@', ''))) + 1)"

/** SQL for "waits for something else than a worker"; the index is used with exactly this. */
export const WAITING = "state IN ('deferred', 'held', 'quarantined')"

export const NOT_HELD = `due_at < ${HELD}`

export const LISTED_INDEXES = `
  CREATE INDEX deferrals_tally ON deferrals (accepted_at, recipients, due_at) WHERE ${NOT_HELD};
  CREATE INDEX recipients_waiting ON recipients (${DOMAIN}, queue_id, recipient, state) WHERE ${WAITING};`

export const FROM_1_TO_2 = `
  DROP INDEX deferrals_tally;
  ${LISTED_INDEXES}`
