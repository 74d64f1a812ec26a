// The embedded home for the contract suites: a temporary data directory and a clock that tests set.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedOptions, openEmbedded } from '../../src/backends.ts'
import type { Home } from '../contract/home.ts'

const LEASE_TIME = 60_000

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'elemta-storage-'))
}

export async function embeddedHome(options: Partial<EmbeddedOptions> = {}): Promise<Home & { dataDir: string }> {
  const directory = await temporaryDirectory()
  const dataDir = join(directory, 'data')
  let time = 1_700_000_000_000
  const now = () => time
  return {
    dataDir,
    leaseTime: LEASE_TIME,
    now,
    open: () => openEmbedded({ dataDir, now, leaseTime: LEASE_TIME, ...options }),
    async advance(milliseconds) {
      time += milliseconds
    },
    dispose: () => rm(directory, { recursive: true, force: true }),
  }
}
