// The home that the configuration names, opened: what mail is kept in, and what policies remember. Everything behind it
// is the same in all of them. The adapters of AWS are loaded only where they are used: they take their time.
import { mkdir } from 'node:fs/promises'
import { openEmbedded, openEmbeddedReadOnly, openPolicyStore, type ReadOnlyBackends } from '../src/backends.ts'
import type { Count } from '../src/platform/billed-requests.ts'
import type { Config } from '../src/platform/config.ts'
import type { Log } from '../src/platform/log.ts'
import { startLeftBehind } from '../src/spool/left-behind.ts'
import type { Backends } from '../src/storage/backends.ts'
import type { PolicyStore } from '../src/storage/policy-store.ts'
import type { Role } from './roles.ts'

export type Home = Readonly<{
  name: Config['storage']['home']
  backends: Backends
  openPolicyStore(): Promise<PolicyStore>
  /** Starts what clears away after failures between two writes; absent where several writes are one. */
  startLeftBehind?(): Readonly<{ stop(): Promise<void> }>
}>

export type HomeParts = Readonly<{
  /** The stages that will work on it here. */
  roles: readonly Role[]
  now: () => number
  log: Log
  /** Told of every request to AWS by what it is billed at. */
  count?: Count
}>

/** Rejects when the home cannot or must not be used. */
export async function openHome(config: Config, parts: HomeParts): Promise<Home> {
  const { roles, now, log, count } = parts
  const { storage, data_dir: dataDir, limits, trace } = config
  if (storage.home === 'embedded' || storage.aws === undefined) {
    const backends = await openEmbedded({ dataDir, reserve: limits.disk_reserve, now, log })
    return { name: 'embedded', backends, openPolicyStore: () => openPolicyStore({ dataDir, log }) }
  }
  const { awsPlaceOf, openAws, openAwsPolicyStore } = await import('../src/backends-aws.ts')
  const place = awsPlaceOf(storage.aws)
  // For what can be made again: keys, sockets, the files of scanners that are children.
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const deliversOwn = roles.includes('scan') && roles.includes('delivery')
  const backends = await openAws({ place, now, log, count, keep: trace.keep, deliversOwn })
  return {
    name: 'aws',
    backends,
    openPolicyStore: async () => openAwsPolicyStore(place, count),
    startLeftBehind: () => startLeftBehind({ backends, now, log }),
  }
}

/** The same for reading, beside gateways or without one. */
export async function openHomeReadOnly(config: Config, now: () => number): Promise<ReadOnlyBackends> {
  const { storage, data_dir: dataDir } = config
  if (storage.home === 'embedded' || storage.aws === undefined) return openEmbeddedReadOnly({ dataDir, now })
  const { awsPlaceOf, openAws } = await import('../src/backends-aws.ts')
  const backends = await openAws({ place: awsPlaceOf(storage.aws), now })
  return { ...backends, close: () => void backends.close() }
}
