// Opens the data directory for reading, beside a running gateway or without one.
import { openEmbeddedReadOnly, type ReadOnlyBackends } from '../../src/backends.ts'
import { loadConfig } from '../../src/platform/config-load.ts'

/** Runs `use` on the records of the configured data directory and closes them again. */
export async function withRecords(
  configFile: string | undefined,
  use: (reader: ReadOnlyBackends) => Promise<void>,
): Promise<void> {
  const config = loadConfig(configFile)
  const reader = await openEmbeddedReadOnly({ dataDir: config.data_dir, now: Date.now })
  try {
    await use(reader)
  } finally {
    reader.close()
  }
}
