// Opens what mail is kept in for reading, beside a running gateway or without one.
import { openHomeReadOnly } from '../../local/home.ts'
import type { ReadOnlyBackends } from '../../src/backends.ts'
import { operatorHome } from './home-options.ts'

/** Runs `use` on the records of the configured home and closes them again. */
export async function withRecords(
  configFile: string | undefined,
  use: (reader: ReadOnlyBackends) => Promise<void>,
): Promise<void> {
  const reader = await openHomeReadOnly((await operatorHome(configFile)).config, Date.now)
  try {
    await use(reader)
  } finally {
    reader.close()
  }
}
