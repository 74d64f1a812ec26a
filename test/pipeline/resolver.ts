// A real resolver for a story's gateway: it knows the zones of the story and nothing else.
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startUnbound } from '../../local/embedded/unbound.ts'
import { silentLog } from '../../src/platform/log.ts'

/** Each line is one record, such as `ours.test. A 127.0.0.1`. `dns` goes into the configuration. */
export async function startResolver(...records: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), 'elemta-resolver-'))
  await chmod(dir, 0o755) // the daemon's own account must get through
  const zones = records.map(record => `  local-data: '${record}'\n`).join('')
  const unbound = await startUnbound({ dir, zones, log: silentLog })
  return {
    dns: { servers: [`127.0.0.1:${unbound.port}`], timeout: '5s' },
    async [Symbol.asyncDispose]() {
      await unbound.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
