// elemta greylist: what greylisting remembers, and an operator's changes to it, beside a running gateway or without one.
import type { Command } from 'commander'
import type { RememberedClient, RememberedTriplet } from '../../src/policy/greylist-entries.ts'
import type { Greylist } from './greylist-store.ts'

type Options = Readonly<{ config?: string; json?: boolean; clients?: boolean; limit?: number; for?: string }>
type Names = [client: string, sender: string | undefined, recipient: string | undefined]

const print = (line: string) => process.stdout.write(`${line}\n`)
const time = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`
const path = (address: string) => `<${address}>`

export function register(program: Command): void {
  const command = program.command('greylist').description('show and change what greylisting remembers')
  const file = ['-c, --config <file>', 'configuration file'] as const
  const client = ['<client>', 'an IP address, a network as `list` shows it, or a domain (key: spf)'] as const

  command
    .command('list')
    .description('list triplets: who waits, and who has passed')
    .argument('[client]', client[1])
    .option('--clients', 'list the clients that count as known, or are about to, instead')
    .option('-n, --limit <number>', 'lines to show', Number, 100)
    .option('--json', 'print JSON lines')
    .option(...file)
    .action((who: string | undefined, options: Options) => withStore(options, greylist => list(greylist, who, options)))

  command
    .command('allow')
    .description('let a client pass at once, or only its mail from a sender to a recipient')
    .argument(...client)
    .argument('[sender]', 'an address; <> is the null sender')
    .argument('[recipient]', 'an address')
    .option('--for <duration>', 'for how long; the lifetime of a triplet unless given')
    .option(...file)
    .action((...args: [...Names, Options]) => withStore(args[3], greylist => allow(greylist, args)))

  command
    .command('forget')
    .description('forget a client with its triplets, or only those of a sender and recipient')
    .argument(...client)
    .argument('[sender]', 'an address; <> is the null sender')
    .argument('[recipient]', 'an address')
    .option(...file)
    .action((...args: [...Names, Options]) => withStore(args[3], greylist => forget(greylist, args)))

  command
    .command('stats')
    .description('count what is remembered')
    .option('--json', 'print JSON')
    .option(...file)
    .action((options: Options) => withStore(options, greylist => stats(greylist, options)))
}

async function withStore({ config }: Options, use: (greylist: Greylist) => Promise<void>): Promise<void> {
  const { withGreylist } = await import('./greylist-store.ts')
  await withGreylist(config, use)
}

async function list(greylist: Greylist, who: string | undefined, { json, clients, limit = 100 }: Options) {
  const { store, settings, now, entries, named } = greylist
  const all = clients
    ? entries.rememberedClients(store, settings, now)
    : entries.rememberedTriplets(store, who === undefined ? {} : { client: named(who).key }, now)
  let shown = 0
  for await (const entry of all) {
    if (shown === limit) {
      process.stderr.write(`elemta: there are more; --limit shows them\n`)
      break
    }
    shown++
    print(json ? JSON.stringify(entry) : 'sender' in entry ? tripletLine(entry) : clientLine(entry))
  }
}

function tripletLine({ client, sender, recipient, state, firstSeen, passes, expiresAt }: RememberedTriplet): string {
  const names = `${client}  ${path(sender)} ${path(recipient)}`
  return `${state.padEnd(7)}  ${names}  first seen ${time(firstSeen)}, passes ${passes}, until ${time(expiresAt)}`
}

function clientLine({ client, state, passes, expiresAt }: RememberedClient): string {
  return `${state.padEnd(12)}  ${client}  passes ${passes}, until ${time(expiresAt)}`
}

async function allow(greylist: Greylist, [who, sender, recipient, options]: [...Names, Options]) {
  const { store, settings, now, entries, named, address, duration } = greylist
  const { name, key } = named(who)
  const expiresAt = now + (options.for === undefined ? settings.lifetime : duration(options.for))
  if (sender === undefined) {
    await entries.allowClient(store, name, now, expiresAt)
    print(`${name} is not greylisted until ${time(expiresAt)}`)
  } else {
    const triplet = { client: key, sender: address(sender), recipient: address(recipient, 'recipient') }
    await entries.allowTriplet(store, triplet, now, expiresAt)
    const names = `${path(triplet.sender)} to ${path(triplet.recipient)}`
    print(`${key} is not greylisted from ${names} until ${time(expiresAt)}`)
  }
}

async function forget(greylist: Greylist, [who, sender, recipient]: [...Names, Options]) {
  const { store, now, entries, named, address } = greylist
  const { name, key } = named(who)
  const wanted = {
    client: key,
    ...(sender !== undefined && { sender: address(sender) }),
    ...(recipient !== undefined && { recipient: address(recipient) }),
  }
  const names = sender === undefined ? [...new Set([name, key])] : []
  const { triplets, clients } = await entries.forget(store, { names, wanted }, now)
  if (triplets + clients > 0) print(`forgotten: ${triplets} triplets, ${clients} clients`)
  else {
    process.stderr.write(`elemta: nothing is remembered of ${who}\n`)
    process.exitCode = 1
  }
}

async function stats({ store, settings, now, entries }: Greylist, { json }: Options) {
  const found = await entries.greylistStats(store, settings, now)
  if (json) print(JSON.stringify(found))
  else {
    print(`triplets  ${found.triplets}: ${found.waiting} waiting, ${found.passed} passed`)
    print(`clients   ${found.autoAllowed} known by their history, ${found.allowed} allowed by an operator`)
  }
}
