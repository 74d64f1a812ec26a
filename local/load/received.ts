// What the gateway itself says that it has received, from its /metrics: the other side of the account. Canaries are not
// in it; other mail that comes in meanwhile is.

export type Received = Readonly<{ before: number; after: number }>

const SERIES = 'elemta_messages_received_total'

/** Rejects with an Error that names the address when it cannot be read. */
export async function receivedSoFar(url: string): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((error: Error) => {
    const cause = error.cause instanceof Error ? error.cause.message : error.message
    throw new Error(`${url} does not answer: ${cause}`)
  })
  const line = (await response.text()).split('\n').find(text => text.startsWith(`${SERIES} `))
  if (!response.ok || line === undefined) throw new Error(`${url} has no ${SERIES}`)
  return Number(line.split(' ')[1])
}

/** Undefined when both sides agree. What was not answered may have been received all the same. */
export function disagreement(received: number, accepted: number, unanswered: number): string | undefined {
  if (received >= accepted && received <= accepted + unanswered) return undefined
  const beside = unanswered === 0 ? '' : ` and ${unanswered} not answered`
  return `the gateway received ${received}, but ${accepted} were accepted${beside}`
}
