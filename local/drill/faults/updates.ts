// Signatures that cannot be updated any more: the gateway's own clamd and freshclam, whose mirror is not there.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeHome } from '../../embedded/home.ts'
import { accountFor } from '../../embedded/program.ts'
import type { Fault } from '../fault.ts'

const DAY = 86_400_000

export const UPDATE_FAULTS: readonly Fault[] = [
  {
    what: 'freshclam last succeeded two days ago, and nobody answers at its mirror',
    stack: 'updates',
    proves: [{ alert: 'SignatureUpdateFailing', severity: 'warning' }],
    async prepare({ gateway }) {
      await gateway.stop()
      rememberUpdate(gateway.dataDir, Date.now())
      await gateway.start()
    },
    async inject({ gateway }) {
      await gateway.stop()
      rememberUpdate(gateway.dataDir, Date.now() - 2 * DAY)
      await gateway.start()
    },
    // No mirror on this machine can sign as ClamAV does: what freshclam remembers of its success is put back.
    async heal({ gateway }) {
      await gateway.stop()
      rememberUpdate(gateway.dataDir, Date.now())
      await gateway.start()
    },
  },
]

/** What freshclam's keeper reads at the start: when it last asked, with success. */
function rememberUpdate(dataDir: string, at: number): void {
  const home = makeHome(join(dataDir, 'daemons'), 'clamd', accountFor('clamav'))
  writeFileSync(join(home, 'updates.json'), JSON.stringify({ attemptedAt: at, succeededAt: at, failures: 0 }))
}
