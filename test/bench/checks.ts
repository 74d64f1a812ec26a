// What the session policies cost: Elemta with all of them on against itself with none, TLS off. A resolver of the
// machine's own (unbound) answers from local zones; the benchmark's triplets are known to the greylist, as those of
// nearly all mail are. Goal: nine tenths of the rate without.
import { startUnbound, type Unbound } from '../../local/embedded/unbound.ts'
import { openPolicyStore } from '../../src/backends.ts'
import { silentLog } from '../../src/platform/log.ts'
import { allowTriplet } from '../../src/policy/greylist-entries.ts'
import { type Contender, compareAccept, FAST_DISK, type Plan, type Variant } from './accept.ts'
import { startElemta } from './elemta.ts'
import { temporaryDirectory } from './program.ts'
import type { Comparison } from './samples.ts'
import { DOMAIN, type Place, RECIPIENT, SENDER } from './server.ts'
import { buildTlsSource } from './tls-source.ts'

const ADDRESSES = 4096
const DAY = 86_400_000
const WITHOUT = 'without checks'
const targets = [{ anchor: WITHOUT, atLeast: 0.9 }]

/** What resolves; every other name does not exist, those of the DNSBL among them. */
const ZONES = `  local-data: "example.org. MX 10 client.example.org."
  local-data: "client.example.org. A 127.0.0.1"`

export async function compareChecks(plan: Plan): Promise<Comparison[]> {
  const source = await buildTlsSource(plan.directory)
  const dir = temporaryDirectory(plan.directory)
  const unbound = await startUnbound({ dir, zones: ZONES, log: silentLog })
  const contenders: readonly Contender[] = [
    { name: 'Elemta', start: place => startWithChecks(place, unbound) },
    { name: WITHOUT, start: place => startElemta({ kind: 'accept' }, place) },
  ]
  const strangers: Variant = {
    title: `A connection for each message, from ${ADDRESSES} client addresses (5 KB, 20 sessions)`,
    reuse: false,
    sessions: 20,
    targets,
    send: source.sender({ tls: 'none', addresses: ADDRESSES }),
  }
  const variants = [...FAST_DISK.map(variant => ({ ...variant, targets })), strangers]
  try {
    const comparisons = await compareAccept(plan, contenders, variants)
    return comparisons.map(comparison => ({ ...comparison, title: `All checks on: ${comparison.title}` }))
  } finally {
    await unbound.stop()
  }
}

async function startWithChecks(place: Place, unbound: Unbound) {
  const dataDir = temporaryDirectory(place.directory)
  await makeKnown(dataDir)
  const many = '1000000/s'
  const enforced = (name: string, config: Readonly<Record<string, unknown>>) => ({ name, mode: 'enforce', config })
  return startElemta({ kind: 'accept' }, place, {
    data_dir: dataDir,
    dns: { servers: [`127.0.0.1:${unbound.port}`] },
    plugins: [
      enforced('rate-limit', { connections: many, messages: many, recipients: many, octets: '1000GB/h' }),
      enforced('helo', { resolves: true }),
      enforced('sender-domain', {}),
      enforced('dnsbl', { zones: [{ zone: 'bl.example.net' }] }),
      enforced('recipients', { addresses: [RECIPIENT, `somebody.else@${DOMAIN}`] }),
      enforced('greylist', {}),
    ],
  })
}

/** The triplets of all client addresses: those of smtp-source, and the /24 networks of 127.1.0.0/16. */
async function makeKnown(dataDir: string): Promise<void> {
  const store = await openPolicyStore({ dataDir })
  const networks = Array.from({ length: ADDRESSES / 256 }, (_, n) => `127.1.${n}.0/24`)
  const now = Date.now()
  for (const client of ['127.0.0.0/24', ...networks]) {
    await allowTriplet(store, { client, sender: SENDER, recipient: RECIPIENT }, now, now + DAY)
  }
  await store.close()
}
