// DNSBLs: is the client on denylists? Every zone is asked when it connects, in the background, and decided on at RCPT:
// by then the answers are there, who has logged in is not concerned, and the log can name sender and recipient.
// A zone that fails lists nobody: a DNS that is down stops no mail.
import { createNetworks } from '../mail/networks.ts'
import { createAnswerCache } from '../platform/answer-cache.ts'
import type { PluginConfig } from '../platform/config.ts'
import type { Log } from '../platform/log.ts'
import { type Decision, type Plugin, reject, type SessionView, tag } from '../plugins/plugin.ts'
import { createZone, type Zone, type ZoneAnswer } from './dnsbl-zone.ts'
import type { PolicyContext } from './policy-context.ts'

const MINUTE = 60_000
const BELIEVED = 5 * MINUTE
/** With a zone missing: the next connection soon asks again. */
const BELIEVED_IN_PART = 30_000
const BETWEEN_COMPLAINTS = 10 * MINUTE

/** Throws Error on settings that make no sense. */
export function createDnsbl(config: PluginConfig<'dnsbl'>, context: PolicyContext): Plugin {
  const { dns, now } = context
  const zones = config.zones.map(zone => createZone(zone, dns))
  const allowed = createNetworks(config.allowlist, 'dnsbl: allowlist')
  const report = createReport(zones, context)
  const answersFor = createAnswerCache<readonly ZoneAnswer[]>({
    async ask(address) {
      const answers = await Promise.all(zones.map(zone => zone.ask(address)))
      report(answers)
      return answers
    },
    lifetime: answers => (answers.some(({ kind }) => kind === 'error') ? BELIEVED_IN_PART : BELIEVED),
    tooMany: () => [],
    mostQuestions: 2000,
    now,
  })
  const exempt = ({ trusted, client }: SessionView) => trusted || allowed(client.address)

  return {
    connect(session) {
      // Should this fail, RCPT asks again and is told.
      if (!exempt(session)) answersFor(session.client.address).catch(() => undefined)
      return undefined
    },
    async recipient(transaction) {
      if (exempt(transaction)) return undefined
      const { address } = transaction.client
      return decide(address, await answersFor(address), config.reject_weight, transaction.suspicions)
    },
  }
}

/** What the zones' answers together mean. A suspicion that was told for an earlier recipient is not told again. */
export function decide(
  address: string,
  answers: readonly ZoneAnswer[],
  rejectWeight: number,
  suspicions: readonly string[] = [],
): Decision | undefined {
  const listings = answers.filter(answer => answer.kind === 'listed')
  const weight = listings.reduce((sum, listing) => sum + listing.weight, 0)
  if (weight <= 0) return undefined
  const why = `listed by ${listings.map(({ reason }) => reason).join(', ')}; weight ${weight}`
  if (weight < rejectWeight) return suspicions.some(known => known.includes(why)) ? undefined : tag(why)
  const zones = listings.filter(listing => listing.weight > 0).map(({ zone }) => zone)
  const text = `Client host [${address}] is listed by ${zones.join(', ')}`
  return reject(text, { code: 554, why })
}

/** Counts what the zones answer, and complains about each that fails, but not all the time. */
function createReport(zones: readonly Zone[], { metrics, log, now }: PolicyContext) {
  const labels = { label: 'zone', values: zones.map(({ name }) => name) }
  const listings = metrics.counterBy('listings_total', 'Clients that a zone lists', labels)
  const errors = metrics.counterBy('errors_total', 'Questions that a zone did not answer, or answered oddly', labels)
  const complain = createComplaint(log, now)
  return (answers: readonly ZoneAnswer[]) => {
    for (const answer of answers) {
      if (answer.kind === 'listed') listings.inc(answer.zone)
      if (answer.kind !== 'error') continue
      errors.inc(answer.zone)
      complain(answer.zone, answer.why)
    }
  }
}

function createComplaint(log: Log, now: () => number) {
  const last = new Map<string, number>()
  return (zone: string, why: string) => {
    if (now() - (last.get(zone) ?? Number.NEGATIVE_INFINITY) < BETWEEN_COMPLAINTS) return
    last.set(zone, now())
    log.warn({ zone, why, effect: 'the zone lists nobody' }, 'dnsbl-error')
  }
}
