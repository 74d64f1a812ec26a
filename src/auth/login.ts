// One login, from name and password to what the client hears: limits first, then the authenticator, then the counts.
// Every attempt is counted, every failure logged (`auth-failed`) without its password. Whoever fails waits for the
// answer, longer each time; that also hides how long a check took. Never rejects: what is unknown is 454, try later.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Reply, reply } from '../mail/reply.ts'
import type { Log } from '../platform/log.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Attempts } from './attempts.ts'
import type { AuthAnswer, Authenticator } from './authenticator.ts'

export type LoginAnswer =
  | Readonly<{ outcome: 'success'; user: string; addresses?: readonly string[] }>
  | Readonly<{ outcome: 'refused'; reply: Reply }>

/** `mechanism` is for the log; `failures`: how many logins of this session were refused before. */
export type LoginClient = Readonly<{ address: string; mechanism?: string; failures: number }>

export type Login = (
  credentials: Readonly<{ user: string; password: string }>,
  client: LoginClient,
) => Promise<LoginAnswer>

type Options = Readonly<{
  authenticator: Authenticator
  attempts: Attempts
  metrics: Pick<Metrics, 'authAttempts' | 'authSuccesses' | 'authFailures'>
  log: Log
  /** Milliseconds since 1970. */
  now: () => number
  wait?: (milliseconds: number) => Promise<unknown>
}>

/** Also for what cannot be a name and a password at all. */
export const invalidCredentials = reply(535, '5.7.8', 'Authentication credentials invalid')
// Transient, not 535: a mail program keeps its password and tries again, instead of asking its user for another.
const limited = reply(454, '4.7.0', 'Too many failed logins, try again later')
const unavailable = reply(454, '4.7.0', 'Temporary authentication failure, try again later')

const ANSWERS = { password: invalidCredentials, limited, unavailable } as const

const DELAY_STEP = 1000
const LONGEST_DELAY = 5000

/** The client is answered no sooner than this many milliseconds after it asked: a second for each failure, at most 5. */
export function answerDelay(failuresBefore: number): number {
  return Math.min(LONGEST_DELAY, DELAY_STEP * (failuresBefore + 1))
}

export function createLogin({ authenticator, attempts, metrics, log, now, wait = sleep }: Options): Login {
  async function verify(user: string, password: string): Promise<AuthAnswer> {
    try {
      return await authenticator.verify(user, password)
    } catch (error) {
      return { outcome: 'unavailable', why: (error as Error).message }
    }
  }

  return async ({ user, password }, client) => {
    const began = now()
    metrics.authAttempts.inc()

    async function refuse(reason: keyof typeof ANSWERS, why: string = reason): Promise<LoginAnswer> {
      metrics.authFailures.inc(reason)
      const { address, mechanism } = client
      log[reason === 'unavailable' ? 'error' : 'info'](
        { client: address, ...(mechanism && { mechanism }), user, why },
        'auth-failed',
      )
      // Guessing costs time. Who cannot be asked about is no guess.
      const left = began + answerDelay(client.failures) - now()
      if (reason !== 'unavailable' && left > 0) await wait(left)
      return { outcome: 'refused', reply: ANSWERS[reason] }
    }

    if ((await attempts.waitFor(user, client.address)) > 0) return refuse('limited')
    const answer = await verify(user, password)
    switch (answer.outcome) {
      case 'unavailable':
        return refuse('unavailable', answer.why)
      case 'failure':
        await attempts.failed(user, client.address)
        return refuse('password')
      case 'success':
        // Guesses made at the same time all passed the first look: the one that is right must not get through by it.
        if ((await attempts.waitFor(user, client.address)) > 0) return refuse('limited')
        await attempts.succeeded(user, client.address)
        metrics.authSuccesses.inc()
        return { outcome: 'success', user: answer.user, ...(answer.addresses && { addresses: answer.addresses }) }
    }
  }
}
