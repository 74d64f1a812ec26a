// A real Prometheus for a test file, in a temporary directory that goes with it.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Files, PrivateServerOptions } from '../../local/drill/private-server.ts'
import { type Prometheus, startPrometheus } from '../../local/drill/prometheus.ts'
import { silentLog } from '../../src/platform/log.ts'

/** Starts it with these files, of which `prometheus.yml` is one; `stop()` removes everything. */
export async function startPrivatePrometheus(
  files: Files,
  more: Partial<PrivateServerOptions> = {},
): Promise<Prometheus> {
  const dir = mkdtempSync(join(tmpdir(), 'elemta-prometheus-'))
  chmodSync(dir, 0o755) // its own account must get through
  const remove = () => rmSync(dir, { recursive: true, force: true })
  try {
    const prometheus = await startPrometheus({ dir, files, log: silentLog, ...more })
    return { ...prometheus, stop: () => prometheus.stop().finally(remove) }
  } catch (error) {
    remove()
    throw error
  }
}
