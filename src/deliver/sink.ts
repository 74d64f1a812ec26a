// A next hop that takes every message and forgets it: where canaries end. It reads the content as a server would get
// it, so that what cannot be read, or is not what was stored, is not delivered. No network, so nothing is put off.
import { contentWithTrace } from './content-with-trace.ts'
import type { Deliverer } from './deliverer.ts'
import type { Outcome } from './outcome.ts'

/** `hostname` stands in the Received field that nobody reads. Rejects when the content cannot be read. */
export function createSink({ hostname }: { hostname: string }): Pick<Deliverer, 'deliver'> {
  return {
    async deliver({ message, content, recipients, headers }, onOutcome) {
      const startedAt = performance.now()
      let octets = 0
      for await (const chunk of contentWithTrace(content, { message, hostname, headers })) octets += chunk.length
      const seconds = (performance.now() - startedAt) / 1000
      const reply = `250 2.0.0 ${octets} octets taken and forgotten`
      await onOutcome(
        recipients.map((recipient): Outcome => ({ kind: 'delivered', recipient, nextHop: 'sink:', reply, seconds })),
      )
    },
  }
}
