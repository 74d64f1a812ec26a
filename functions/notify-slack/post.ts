// Posts to an incoming webhook of Slack. What may pass (429, 5xx, the network) is tried again a few times, as long as Slack
// asks for and the caller has time; what will not (the webhook is gone, the message is refused) fails at once.
// Throws SlackRefused or the last error: whoever called gives the message to the dead-letter queue.
import { setTimeout as pause } from 'node:timers/promises'

export class SlackRefused extends Error {
  override readonly name = 'SlackRefused'
}

export type PostOptions = Readonly<{
  /** Milliseconds. */
  pauses?: readonly number[]
  timeout?: number
  /** Nothing is waited for beyond this time (milliseconds since 1970). */
  deadline?: number
}>

const PAUSES = [500, 2_000, 5_000]

export async function postToSlack(url: string, message: object, options: PostOptions = {}): Promise<void> {
  const { pauses = PAUSES, timeout = 10_000, deadline = Number.POSITIVE_INFINITY } = options
  for (const wait of [...pauses, undefined]) {
    const failure = await attempt(url, message, timeout)
    if (failure === undefined) return
    const patience = Math.max(wait ?? 0, failure.wait)
    if (wait === undefined || failure.isFinal || Date.now() + patience > deadline) throw failure.error
    await pause(patience)
  }
}

type Failure = Readonly<{ error: Error; isFinal: boolean; wait: number }>

async function attempt(url: string, message: object, timeout: number): Promise<Failure | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(timeout),
    })
    const answer = await response.text()
    if (response.ok) return undefined
    const isFinal = response.status < 500 && response.status !== 429
    const wait = Number(response.headers.get('retry-after') ?? 0) * 1000
    const error = new SlackRefused(`Slack answered ${response.status} ${answer.slice(0, 200)}`)
    return { error, isFinal, wait: Number.isFinite(wait) ? wait : 0 }
  } catch (error) {
    return { error: error as Error, isFinal: false, wait: 0 }
  }
}
