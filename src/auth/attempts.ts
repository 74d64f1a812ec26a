// Slows guessing down: counts failed logins per client network and per user, in the policy store, so that all ingresses
// agree. From the limit on nobody is asked any more until a wait is over, which each further failure doubles.
// A store that fails lets the attempt go on, logged: a disk must not lock everyone out.
import { createHash } from 'node:crypto'
import { clientKey } from '../mail/client-network.ts'
import type { Config } from '../platform/config.ts'
import type { Log } from '../platform/log.ts'
import type { PolicyEntry, PolicyStore } from '../storage/policy-store.ts'

export type AttemptLimits = Config['auth']['attempts']

/** Failures of one client or for one user. `until`: milliseconds since 1970, no attempt before then; 0: at once. */
export type Failures = Readonly<{ failures: number; until: number }>

export type Attempts = Readonly<{
  /** Milliseconds until this client may try this user (again); 0: now. */
  waitFor(user: string, address: string): Promise<number>
  failed(user: string, address: string): Promise<void>
  /**
   * Forgets what was counted for the user, not for the client, which may have an account of its own among its guesses;
   * and remembers the client, so that guesses made elsewhere do not lock the user out here.
   */
  succeeded(user: string, address: string): Promise<void>
}>

type Options = Readonly<{
  store: PolicyStore
  limits: AttemptLimits
  log: Log
  /** Milliseconds since 1970. */
  now: () => number
  /** Clients whose failures count for the user alone: webmail, relays that log in for many. */
  exempt?: (address: string) => boolean
}>

const ADDRESSES = 'auth.address'
const USERS = 'auth.user'
/** Clients from which a user has logged in: there only the client's own failures count. */
const KNOWN = 'auth.known'
/** All of the policy store that this module remembers in. */
export const ATTEMPT_SPACES: readonly string[] = [ADDRESSES, USERS, KNOWN]

const DAY = 86_400_000
const KNOWN_FOR = 30 * DAY

export function createAttempts({ store, limits, log, now, exempt = () => false }: Options): Attempts {
  /** What is counted for a login: space, key, and the failures that are allowed. */
  async function countersOf(user: string, address: string) {
    const byUser = { space: USERS, key: userKey(user), most: limits.per_user }
    // Known or not: nothing at all would else limit the guesses made there.
    if (exempt(address)) return [byUser]
    const byAddress = { space: ADDRESSES, key: clientKey(address), most: limits.per_address }
    return (await isKnown(user, address)) ? [byAddress] : [byUser, byAddress]
  }

  async function isKnown(user: string, address: string): Promise<boolean> {
    return (await orElse(store.get(KNOWN, knownKey(user, address), now()), undefined)) !== undefined
  }

  async function orElse<T>(work: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work
    } catch (error) {
      log.error({ why: (error as Error).message }, 'auth-attempts-failed')
      return otherwise
    }
  }

  /** Each entry that comes takes two along whose time is over: nothing piles up, and nobody has to sweep. */
  async function write(space: string, key: string, at: number, change: Parameters<PolicyStore['update']>[3]) {
    await store.update(space, key, at, change)
    await store.expire(space, at, 2)
  }

  return {
    async waitFor(user, address) {
      const at = now()
      const waits = (await countersOf(user, address)).map(async ({ space, key }) => {
        const entry = await orElse(store.get(space, key, at), undefined)
        return Math.max(0, (failuresIn(entry)?.until ?? 0) - at)
      })
      return Math.max(...(await Promise.all(waits)))
    },
    async failed(user, address) {
      const at = now()
      const counted = (await countersOf(user, address)).map(({ space, key, most }) => {
        const change = (entry: PolicyEntry | undefined) => {
          const value = afterFailure(failuresIn(entry), most, limits, at)
          return { value, expiresAt: Math.max(at, value.until) + limits.longest_wait }
        }
        return orElse(write(space, key, at, change), undefined)
      })
      await Promise.all(counted)
    },
    async succeeded(user, address) {
      const at = now()
      if (exempt(address) || !(await isKnown(user, address))) {
        // Most users have nothing to forget, and reading is cheaper than writing. Where the client is known the count
        // stays: the guesses were made elsewhere and must not begin anew with each login of the user.
        const key = userKey(user)
        const counted = await orElse(store.get(USERS, key, at), undefined)
        if (counted !== undefined) await orElse(store.remove(USERS, key), false)
      }
      if (exempt(address)) return
      const remember = (entry: PolicyEntry | undefined) =>
        entry !== undefined && entry.expiresAt > at + KNOWN_FOR - DAY
          ? undefined
          : { value: {}, expiresAt: at + KNOWN_FOR }
      await orElse(write(KNOWN, knownKey(user, address), at, remember), undefined)
    },
  }
}

/** One more failure; from the one numbered `most` on there is a wait, then twice that, up to the longest. */
export function afterFailure(
  before: Failures | undefined,
  most: number,
  { wait, longest_wait }: Pick<AttemptLimits, 'wait' | 'longest_wait'>,
  now: number,
): Failures {
  const failures = (before?.failures ?? 0) + 1
  const until = failures < most ? 0 : now + Math.min(wait * 2 ** (failures - most), longest_wait)
  return { failures, until: Math.max(until, before?.until ?? 0) }
}

function failuresIn(entry: PolicyEntry | undefined): Failures | undefined {
  const { failures, until } = entry?.value ?? {}
  return typeof failures === 'number' && typeof until === 'number' ? { failures, until } : undefined
}

/**
 * The same for all spellings that a directory may take for one name (RFC 4518 §2: case, width, blanks, invisible
 * letters), or guesses would start anew with each. Plain names stand as they are, so that an operator finds them.
 */
export function userKey(user: string): string {
  const visible = user.normalize('NFKC').replaceAll(/\p{Default_Ignorable_Code_Point}/gu, '')
  const name = visible.toUpperCase().toLowerCase().trim().replaceAll(/\s+/g, ' ')
  return /^[a-z0-9@._+-]{1,128}$/.test(name) ? name : `sha256:${createHash('sha256').update(name).digest('hex')}`
}

function knownKey(user: string, address: string): string {
  return `${userKey(user)} ${clientKey(address)}`
}
