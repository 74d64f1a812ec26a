// AUTH (RFC 4954): over TLS, on submission listeners, once per session and outside of a transaction. What the mechanisms
// say is sasl.ts; who may log in, and how often one may guess, is the login's.
import { type Reply, reply } from '../mail/reply.ts'
import { answerOf, type MaybePromise, when } from './answer.ts'
import type { Command } from './command.ts'
import * as replies from './replies.ts'
import { type SaslStep, startSasl } from './sasl.ts'
import { deadlineFor, type Session } from './session.ts'

export function startAuth(session: Session, command: Extract<Command, { verb: 'AUTH' }>): MaybePromise<Reply> {
  const { settings, mode, client } = session
  if (mode === 'mx' || settings.login === undefined) return replies.notImplemented
  if (client.tls === undefined) return replies.startTlsFirst
  if (client.helo === '') return replies.helloFirst
  if (client.user !== undefined || session.transaction !== undefined) return replies.authOutOfPlace
  session.mechanism = command.mechanism
  return take(session, startSasl(command.mechanism, command.initialResponse))
}

/** The client's line in answer to a 334. */
export function continueAuth(
  session: Session,
  sasl: Extract<SaslStep, { kind: 'challenge' }>,
  line: Buffer,
): MaybePromise<Reply> {
  session.sasl = undefined
  return take(session, sasl.continue(line.toString('latin1')))
}

function take(session: Session, step: SaslStep): MaybePromise<Reply> {
  const { settings, client } = session
  switch (step.kind) {
    case 'challenge':
      session.sasl = step
      return reply(334, '', step.text)
    case 'refused':
      if (step.reply.code !== 504) settings.metrics.authFailures.inc('aborted')
      return step.reply
    case 'credentials': {
      const { login } = settings
      if (login === undefined) return replies.notImplemented
      const ask = async (): Promise<Reply> => {
        const answer = await login(step, {
          address: client.address,
          failures: session.failedLogins,
          mechanism: session.mechanism,
        })
        if (answer.outcome === 'refused') return answer.reply
        session.client = { ...session.client, user: answer.user }
        session.userAddresses = answer.addresses
        return replies.authenticated
      }
      return when(answerOf(ask, deadlineFor(settings, 'login')), answer => {
        if (answer.code !== 235) session.failedLogins++
        return answer.code === 451 ? replies.loginUnavailable : answer
      })
    }
  }
}
