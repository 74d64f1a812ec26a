// Opens what mail is kept in for reading, beside a running gateway or without one.
import { openHomeReadOnly } from '../../local/home.ts'
import type { ReadOnlyBackends } from '../../src/backends.ts'
import { loadConfig } from '../../src/platform/config-load.ts'

/** Runs `use` on the records of the configured home and closes them again. */
export async function withRecords(
  configFile: string | undefined,
  use: (reader: ReadOnlyBackends) => Promise<void>,
): Promise<void> {
  const reader = await openHomeReadOnly(loadConfig(configFile), Date.now)
  try {
    await use(reader)
  } finally {
    reader.close()
  }
}
