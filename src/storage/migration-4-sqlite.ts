// Schema 4: who may have been sent a message when a process died. `sending` holds the mark of a recipient, NULL for
// nearly all of them; the outcome's write takes it away.

export const FROM_3_TO_4 = `
  ALTER TABLE recipients ADD COLUMN sending TEXT;`
