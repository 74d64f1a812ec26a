// What an operator sees and changes of what greylisting remembers, on the policy store alone, so that it works beside
// running ingresses and without one. Reading goes page by page: a million triplets never stand in memory.
import type { PolicyEntry, PolicyStore } from '../storage/policy-store.ts'
import { type ClientHistory, clientStanding, type GreylistTimes, readClient, readTriplet } from './greylist-decision.ts'
import { CLIENTS, readTripletKey, TRIPLETS, type TripletKey, tripletKey, tripletPrefix } from './greylist-key.ts'

/** As `list` and `list --json` show it; times are milliseconds since 1970. */
export type RememberedTriplet = TripletKey &
  Readonly<{ state: 'waiting' | 'passed'; firstSeen: number; lastSeen: number; passes: number; expiresAt: number }>
export type RememberedClient = Readonly<{
  client: string
  state: ReturnType<typeof clientStanding>
  passes: number
  expiresAt: number
}>

export type GreylistStats = Readonly<{
  triplets: number
  waiting: number
  passed: number
  /** Clients that are deferred no more: by their own history, and by an operator. */
  autoAllowed: number
  allowed: number
}>

/** Which triplets: of one client, or of all; of one sender and recipient, or of any. */
export type Wanted = Partial<TripletKey>

const PAGE = 500

export async function* rememberedTriplets(
  store: PolicyStore,
  { client, sender, recipient }: Wanted,
  now: number,
): AsyncGenerator<RememberedTriplet> {
  const prefix = client === undefined ? '' : tripletPrefix(client)
  for await (const { key, value, expiresAt } of entries(store, TRIPLETS, prefix, now)) {
    const names = readTripletKey(key)
    const triplet = readTriplet(value)
    if (triplet === undefined) continue
    if (sender !== undefined && names.sender !== sender) continue
    if (recipient !== undefined && names.recipient !== recipient) continue
    yield { ...names, state: triplet.passes === 0 ? 'waiting' : 'passed', ...triplet, expiresAt }
  }
}

export async function* rememberedClients(
  store: PolicyStore,
  times: Pick<GreylistTimes, 'autoAllow'>,
  now: number,
): AsyncGenerator<RememberedClient> {
  for await (const entry of entries(store, CLIENTS, '', now)) {
    const history = readClient(entry.value)
    if (history === undefined) continue
    const state = clientStanding(entry, times)
    yield { client: entry.key, state, passes: history.passes, expiresAt: entry.expiresAt }
  }
}

/** From now on the client is not deferred, whoever writes to whom, until `expiresAt`. */
export async function allowClient(store: PolicyStore, client: string, now: number, expiresAt: number): Promise<void> {
  await store.update(CLIENTS, client, now, current => {
    const history = current && readClient(current.value)
    const value: ClientHistory = { passes: history?.passes ?? 0, last: history?.last ?? '', allowed: true }
    return { value, expiresAt }
  })
}

/** From now on the triplet is one that has passed, at least until `expiresAt`. */
export async function allowTriplet(store: PolicyStore, key: TripletKey, now: number, expiresAt: number): Promise<void> {
  await store.update(TRIPLETS, tripletKey(key), now, current => {
    const triplet = (current && readTriplet(current.value)) ?? { firstSeen: now, lastSeen: now, passes: 0 }
    return { value: { ...triplet, passes: Math.max(1, triplet.passes) }, expiresAt }
  })
}

/** Returns how many there were. Clients are forgotten under all of `names`, triplets of the wanted client. */
export async function forget(
  store: PolicyStore,
  { names, wanted }: Readonly<{ names: readonly string[]; wanted: Wanted }>,
  now: number,
): Promise<Readonly<{ triplets: number; clients: number }>> {
  let triplets = 0
  for await (const triplet of rememberedTriplets(store, wanted, now)) {
    if (await store.remove(TRIPLETS, tripletKey(triplet))) triplets++
  }
  let clients = 0
  for (const name of names) if (await store.remove(CLIENTS, name)) clients++
  return { triplets, clients }
}

export async function greylistStats(
  store: PolicyStore,
  times: Pick<GreylistTimes, 'autoAllow'>,
  now: number,
): Promise<GreylistStats> {
  const tally = { waiting: 0, passed: 0, counting: 0, 'auto-allowed': 0, allowed: 0 }
  for await (const { state } of rememberedTriplets(store, {}, now)) tally[state]++
  for await (const { state } of rememberedClients(store, times, now)) tally[state]++
  const { waiting, passed, allowed } = tally
  return { triplets: waiting + passed, waiting, passed, autoAllowed: tally['auto-allowed'], allowed }
}

async function* entries(store: PolicyStore, space: string, prefix: string, now: number): AsyncGenerator<PolicyEntry> {
  let after = ''
  for (;;) {
    const page = await store.list(space, { prefix, after, limit: PAGE }, now)
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)!.key
  }
}
