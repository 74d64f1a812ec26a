// The canary of the embedded home, made from its configuration and its other parts.
import { randomBytes } from 'node:crypto'
import type { Check } from '../../src/console/ops-server.ts'
import type { IngressSettings } from '../../src/ingress/ingress-settings.ts'
import { CANARY_DOMAIN, CANARY_KINDS, type CanaryKind } from '../../src/mail/canary.ts'
import { type Config, enabledPlugin } from '../../src/platform/config.ts'
import type { OperationParts } from '../../src/spool/operation.ts'
import { createOperations, runOperation } from '../../src/spool/operations.ts'
import { createQuarantineOperations } from '../../src/spool/quarantine-operations.ts'
import { startCanary } from './canary.ts'
import { startCanaryListener } from './listener.ts'
import { canaryParts } from './parts.ts'

export type RunningCanary = Readonly<{
  /** For /readyz: a warning while the last message of a kind did not end as it must. */
  checks(): readonly Check[]
  /** The gateway's ingress has other settings now. */
  reconfigure(settings: IngressSettings): void
  stop(): Promise<void>
}>

type Options = Readonly<{ config: Config; ingress: IngressSettings; operating: OperationParts }>

/** What `operations` are told of who acts: seen in the story of a message. */
const WHO = 'canary'

/** Needs all stages to run, here or in processes that share the home. Without the scanner that it is for, a kind is not sent. */
export async function startCanaryFor({ config, ingress, operating }: Options): Promise<RunningCanary> {
  const { interval, deadline } = config.canary
  const { backends, now, log, metrics } = operating
  const secret = randomBytes(12).toString('hex')
  const addressOf = (kind: CanaryKind) => `${kind}.${secret}@${CANARY_DOMAIN}`
  const quiet = (settings: IngressSettings) => ({ ...settings, log: canaryParts(settings).log })
  const listener = await startCanaryListener(quiet(ingress), CANARY_KINDS.map(addressOf))
  const canary = startCanary({
    kinds: kindsFor(config),
    interval,
    deadline,
    port: listener.port,
    addressOf,
    records: backends.records,
    clear: createClearing(canaryParts(operating)),
    forget: async queueId => {
      // What is over at this moment counts as ended before the next.
      await backends.records.forget(now() + 1, { queueId })
    },
    now,
    log,
    metrics,
  })
  return {
    checks: () =>
      canary
        .last()
        .filter(({ result }) => result !== 'passed')
        .map(
          ({ kind, result, why }): Check => ({ name: `canary-${kind}`, state: 'warning', detail: `${result}: ${why}` }),
        ),
    reconfigure: settings => listener.reconfigure(quiet(settings)),
    async stop() {
      await canary.stop()
      await listener.close()
    },
  }
}

/** A clean message needs no scanner, EICAR and GTUBE each theirs. */
function kindsFor(config: Config): CanaryKind[] {
  const scanners = { clean: true, eicar: enabledPlugin(config, 'clamav'), gtube: enabledPlugin(config, 'rspamd') }
  return CANARY_KINDS.filter(kind => scanners[kind] !== undefined)
}

/** An operator's own acts, so that the ledger and the story of the message are right. */
function createClearing(parts: OperationParts): (queueId?: string) => Promise<void> {
  const releaseKey = () => {
    throw new Error('canaries are not released')
  }
  const operations = createOperations(parts, createQuarantineOperations(parts, { releaseKey }))
  return async queueId => {
    const which = queueId === undefined ? { filter: { domain: CANARY_DOMAIN } } : { ids: [queueId] }
    for (const act of ['quarantine/discard', 'queue/delete']) {
      const { status, body } = await runOperation(operations, act, which, WHO)
      if (status !== 200) throw new Error(`${act}: ${JSON.stringify(body)}`)
    }
  }
}
