// What was in the way of a recipient, in one of few words: for the metric. Pure.
import type { NextHopError } from './smtp-connection.ts'

export const FAILURE_REASONS = ['connection', 'tls', 'dns', 'session', 'message', 'timeout', 'policy'] as const
export type FailureReason = (typeof FAILURE_REASONS)[number]

/** Trouble with a next hop or on the way to it. */
export function reasonOf({ message, about }: Pick<NextHopError, 'message' | 'about'>): FailureReason {
  if (/^\d{3}[ -]/.test(message)) return about === 'message' ? 'message' : 'session'
  if (/\bTLS\b|certificate|handshake/i.test(message)) return 'tls'
  if (/\bwithin \d|timed out|took too long/.test(message)) return 'timeout'
  if (/^host not found|name service/.test(message)) return 'dns'
  return about
}
