// Adapter of the authenticator port: an LDAP directory. Search for the user's entry (RFC 4511 §4.5), then bind as it
// with the password (§4.2); the directory decides. Each login has a connection of its own, few at a time.
// No such user, two of them, wrong password: failure. A server that cannot be asked, or asks us away: unavailable.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  type Client,
  ConstraintViolationError,
  InappropriateAuthError,
  InsufficientAccessError,
  InvalidCredentialsError,
  UnwillingToPerformError,
} from 'ldapts'
import type { Config } from '../platform/config.ts'
import type { Log } from '../platform/log.ts'
import type { AuthAnswer, Authenticator } from './authenticator.ts'
import { openLdap } from './ldap-connection.ts'
import { createTurns } from './turns.ts'

export type LdapConfig = NonNullable<Config['auth']['ldap']>

const CONNECTIONS = 10
const WAITING = 200

/** How directories say no to one user: wrong password, no password set, locked, disabled. */
const REFUSALS = [
  InvalidCredentialsError,
  InappropriateAuthError,
  ConstraintViolationError,
  UnwillingToPerformError,
  InsufficientAccessError,
]

type Entry = Readonly<{ dn: string; addresses: readonly string[] }>

/** Throws an Error when `ca` cannot be read. `timeout` is for a whole login. */
export function createLdap(config: LdapConfig, { log }: Readonly<{ log: Log }>): Authenticator {
  if (config.ca !== undefined) readFileSync(config.ca)
  const turns = createTurns({ atOnce: CONNECTIONS, waiting: WAITING })
  const closing = new AbortController()

  async function ask(user: string, password: string): Promise<AuthAnswer> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(config.timeout)])
    try {
      const ca = config.ca === undefined ? undefined : await readFile(config.ca, 'utf8')
      const { client, destroy } = await openLdap({ url: config.url, starttls: config.starttls, ca }, signal)
      try {
        return await searchAndBind(client, user, password)
      } finally {
        await client.unbind().catch(() => {})
        destroy()
      }
    } catch (error) {
      const late = signal.aborted && !closing.signal.aborted
      return unavailable(late ? `no answer within ${config.timeout} ms` : whyOf(error))
    }
  }

  async function searchAndBind(client: Client, user: string, password: string): Promise<AuthAnswer> {
    if (config.bind_dn !== undefined) {
      try {
        await client.bind(config.bind_dn, config.bind_password ?? '')
      } catch (error) {
        return unavailable(`bind as bind_dn: ${whyOf(error)}`)
      }
    }
    const found = await search(client, config, user)
    const [entry, second] = found
    if (second !== undefined) log.warn({ user, filter: config.filter }, 'ldap-user-ambiguous')
    if (entry === undefined || second !== undefined) {
      // As many questions as for a user that exists: the clock tells less.
      await mayBind(client, `cn=no such user,${config.base}`, password)
      return { outcome: 'failure' }
    }
    if (!(await mayBind(client, entry.dn, password))) return { outcome: 'failure' }
    const { addresses } = entry
    return { outcome: 'success', user: user.normalize('NFC').toLowerCase(), ...(addresses.length > 0 && { addresses }) }
  }

  return {
    async verify(user, password) {
      // A bind without a password succeeds, as nobody (RFC 4513 §5.1.2).
      if (user === '' || password === '') return { outcome: 'failure' }
      const answer = await turns(() => ask(user, password))
      return answer === 'full' ? unavailable('too many logins wait for the directory') : answer
    },
    async close() {
      closing.abort(new Error('shutting down'))
    },
  }
}

/** At most two entries: one is the user, two are nobody. */
async function search(client: Client, { base, filter, addresses }: LdapConfig, user: string): Promise<Entry[]> {
  const { searchEntries } = await client.search(base, {
    scope: 'sub',
    filter: filter.replaceAll('{user}', () => escapeFilter(user)),
    attributes: [addresses],
    sizeLimit: 2,
  })
  return searchEntries.map(entry => ({ dn: entry.dn, addresses: [entry[addresses] ?? []].flat().map(String) }))
}

/** False when the directory refuses this user; rejects when it has not decided. */
async function mayBind(client: Client, dn: string, password: string): Promise<boolean> {
  try {
    await client.bind(dn, password)
    return true
  } catch (error) {
    if (REFUSALS.some(refusal => error instanceof refusal)) return false
    throw error
  }
}

/**
 * RFC 4515 §3: ASCII other than letters and digits as two hexadecimal digits. The rest stands as it is, which the RFC
 * allows too: ldapts would take its octets, so written, for characters.
 */
function escapeFilter(value: string): string {
  return value.replaceAll(/[^A-Za-z0-9\u0080-\u{10ffff}]/gu, character => {
    return `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

function unavailable(why: string): AuthAnswer {
  return { outcome: 'unavailable', why: `ldap: ${why}` }
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message.trim() === '' ? error.name : `${error.name}: ${error.message.replaceAll(/\s+/g, ' ').trim()}`
}
