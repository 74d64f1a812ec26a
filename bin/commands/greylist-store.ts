// Opens the policy store of the home that is meant for `elemta greylist`, with the settings that the
// configuration has for greylisting (the defaults where it has none), and reads what people write on its command line.
import { openPolicyStore } from '../../src/backends.ts'
import { parseForwardPath, parseReversePath } from '../../src/mail/address.ts'
import { type Config, isBuiltin } from '../../src/platform/config.ts'
import { builtinPlugin } from '../../src/platform/config-plugins.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { type NamedClient, parseClient } from '../../src/policy/greylist-client.ts'
import * as entries from '../../src/policy/greylist-entries.ts'
import type { PolicyStore } from '../../src/storage/policy-store.ts'
import { bareAddress, durationOf } from './arguments.ts'
import { operatorHome } from './home-options.ts'

/** Texts that make no sense end the command as wrong usage. */
export type Greylist = Readonly<{
  store: PolicyStore
  entries: typeof entries
  /** Milliseconds, and messages. */
  settings: Readonly<{ lifetime: number; autoAllow: number }>
  /** Milliseconds since 1970. */
  now: number
  named(client: string): NamedClient
  /** With or without angle brackets. */
  address(text: string | undefined, what?: string): string
  duration(text: string): number
}>

export async function withGreylist(
  configFile: string | undefined,
  use: (greylist: Greylist) => Promise<void>,
): Promise<void> {
  const { config } = await operatorHome(configFile)
  const block = config.plugins.filter(isBuiltin).find(({ name }) => name === 'greylist')
  const plugin = block ?? builtinPlugin.parse({ name: 'greylist' })
  if (plugin.name !== 'greylist') throw new Error('another plugin in place of greylist')
  const { lifetime, auto_allow: autoAllow } = plugin.config
  const store = await openStore(config)
  try {
    await use({
      store,
      entries,
      settings: { lifetime, autoAllow },
      now: Date.now(),
      named: client => usage(() => parseClient(client, plugin.config)),
      address: (text, what = 'address') => usage(() => parseAddress(text, what)),
      duration: durationOf,
    })
  } finally {
    await store.close()
  }
}

async function openStore({ data_dir: dataDir, storage }: Config): Promise<PolicyStore> {
  if (storage.home === 'embedded' || storage.aws === undefined) return openPolicyStore({ dataDir, onDamage: 'refuse' })
  const { awsPlaceOf, openAwsPolicyStore } = await import('../../src/backends-aws.ts')
  return openAwsPolicyStore(awsPlaceOf(storage.aws))
}

function parseAddress(text: string | undefined, what: string): string {
  if (text === undefined) throw new RangeError(`the ${what} is missing`)
  const bare = bareAddress(text)
  const parsed = bare.toLowerCase() === 'postmaster' ? parseForwardPath(bare, true) : parseReversePath(bare, true)
  if (!parsed.ok) throw new RangeError(`expected an address, not "${text}"`)
  return parsed.address
}

function usage<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ExitError(EXIT.usage, error.message)
  }
}
