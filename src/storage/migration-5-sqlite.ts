// Schema 5: whether a job that was handed out has begun. One that was tried before may wait for others to end; should the
// process die meanwhile, it has not been tried.

const withBegun = (table: string) => `ALTER TABLE ${table} ADD COLUMN begun INTEGER NOT NULL DEFAULT 1;`

export const FROM_4_TO_5 = `
  ${withBegun('scan_jobs')}
  ${withBegun('delivery_jobs')}`
