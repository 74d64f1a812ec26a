// What is known about the signatures in a scan's findings beyond their names: which an operator lets pass, and which
// hit so often that they are not believed. Never rejects: when the store cannot be asked, nothing is ignored.
import type { Finding } from '../mail/verdict.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { PolicyStore } from '../storage/policy-store.ts'
import { isIgnored } from './signature-ignore.ts'
import { createSignatureStorm } from './signature-storm.ts'
import type { Exceptions } from './verdict.ts'

export type SignatureWatch = Readonly<{
  /** Counts the hits among the findings, and says which of them do not count as they usually do. */
  look(findings: readonly Finding[]): Promise<Pick<Exceptions, 'ignored' | 'storming'>>
  stop(): void
}>

/** Milliseconds between two looks at whether a storm is over. */
const INTERVAL = 10_000

type Options = Readonly<{ store: Pick<PolicyStore, 'get'>; now: () => number; log: Log; metrics: Metrics }>

export function createSignatureWatch({ store, now, log, metrics }: Options): SignatureWatch {
  const storm = createSignatureStorm()
  let before: ReadonlySet<string> = new Set()

  function storming(): ReadonlySet<string> {
    const names = storm.storming(now())
    for (const signature of names) if (!before.has(signature)) log.warn({ signature }, 'signature-storm')
    for (const signature of before) if (!names.has(signature)) log.info({ signature }, 'signature-storm-over')
    before = names
    metrics.clamavSignatureStorm.set(names.size > 0 ? 1 : 0)
    return names
  }
  const timer = setInterval(storming, INTERVAL).unref()

  async function passes(signature: string): Promise<boolean> {
    try {
      return await isIgnored(store, signature, now())
    } catch (error) {
      log.warn({ signature, why: String(error) }, 'ignored-signatures-unknown')
      return false
    }
  }

  return {
    async look(findings) {
      const ignored = new Set<string>()
      for (const finding of findings) {
        if (!('signature' in finding)) continue
        const { signature } = finding
        if (await passes(signature)) {
          ignored.add(signature)
          metrics.clamavIgnored.inc()
        } else storm.hit(signature, now())
      }
      return { ignored, storming: storming() }
    },
    stop: () => clearInterval(timer),
  }
}
