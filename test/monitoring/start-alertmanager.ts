// A real Alertmanager for a test file, in a temporary directory that goes with it.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Alertmanager, startAlertmanager } from '../../local/drill/alertmanager.ts'
import type { Files, PrivateServerOptions } from '../../local/drill/private-server.ts'
import { silentLog } from '../../src/platform/log.ts'

/** Starts it with these files, of which `alertmanager.yml` is one; `stop()` removes everything. */
export async function startPrivateAlertmanager(
  files: Files,
  more: Partial<PrivateServerOptions> = {},
): Promise<Alertmanager> {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-alertmanager-'))
  chmodSync(dir, 0o755) // its own account must get through
  const remove = () => rmSync(dir, { recursive: true, force: true })
  try {
    const alertmanager = await startAlertmanager({ dir, files, log: silentLog, ...more })
    return { ...alertmanager, stop: () => alertmanager.stop().finally(remove) }
  } catch (error) {
    remove()
    throw error
  }
}
