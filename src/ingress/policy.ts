// The questions that ingress puts to policies: greylisting, rate limits, a site's own checks. Relay control comes first
// and is not a policy: nothing that is said here can open it.
import type { Client } from '../mail/envelope.ts'
import { type Reply, tryAgainLater } from '../mail/reply.ts'
import { answerOf, type Deadline, type MaybePromise, when } from './answer.ts'

/** A refusal (4yz or 5yz), or undefined: no objection. */
export type Objection = Reply | undefined

export type Policy = Readonly<{
  /** Before the greeting. */
  connect?(client: Pick<Client, 'address' | 'port'>): MaybePromise<Objection>
  /** At MAIL; '' is the null sender. */
  sender?(client: Client, reversePath: string): MaybePromise<Objection>
  /** At RCPT, for a recipient that relay control allows. */
  recipient?(client: Client, reversePath: string, recipient: string): MaybePromise<Objection>
}>

/** Asks within the deadline. Only a refusal counts as an objection; any other answer is a fault and so 451. */
export function objectionOf(question: () => MaybePromise<Objection>, deadline: Deadline): MaybePromise<Objection> {
  return when(answerOf(question, deadline), answer => {
    if (answer === undefined || isRefusal(answer)) return answer
    deadline.log.error({ what: deadline.what }, 'policy-misbehaved')
    return tryAgainLater
  })
}

function isRefusal(answer: Reply): boolean {
  return typeof answer === 'object' && answer !== null && answer.code >= 400 && answer.code <= 599
}
