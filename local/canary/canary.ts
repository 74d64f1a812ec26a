// The canary: every interval a message of each kind goes the whole way — SMTP, spool, scanners, delivery into a sink —
// and its own record tells what became of it. So an operator hears that mail is not taken, does not arrive or is not
// recognised for what it is before anybody else does, also when there is no other mail.
// Never rejects: whatever goes wrong is a result. The log tells of changes, not of every round.
import { setTimeout as sleep } from 'node:timers/promises'
import { NextHopError } from '../../src/deliver/smtp-connection.ts'
import { CANARY_DOMAIN, type CanaryKind, type CanaryResult } from '../../src/mail/canary.ts'
import type { MessageRecord } from '../../src/mail/record.ts'
import type { Log } from '../../src/platform/log.ts'
import type { Metrics } from '../../src/platform/metrics.ts'
import type { RecordStore } from '../../src/storage/record-store.ts'
import { sampleMail } from '../samples.ts'
import { queueIdIn, transmit } from '../transmit.ts'
import { judgeRecord, judgeRefusal } from './judge.ts'

export type CanaryOptions = Readonly<{
  kinds: readonly CanaryKind[]
  /** Milliseconds from one round to the next, and until a message must have come to its end: no longer than that. */
  interval: number
  deadline: number
  /** Of the canary's listener, and whom it takes mail for. */
  port: number
  addressOf(kind: CanaryKind): string
  records: Pick<RecordStore, 'get'>
  /** Takes a canary out of quarantine or queue, or all that are left (of an earlier run). */
  clear(queueId?: string): Promise<void>
  /** Removes the record of one that has come to its end. Those that failed stay, for whoever looks into it. */
  forget(queueId: string): Promise<void>
  now: () => number
  log: Log
  metrics: Metrics
}>

export type Told = Readonly<{ kind: CanaryKind; result: CanaryResult; why: string }>

export type Canary = Readonly<{
  /** What came of the last message of each kind that has been sent. */
  last(): readonly Told[]
  stop(): Promise<void>
}>

const SENDER = `canary@${CANARY_DOMAIN}`
/** Milliseconds between two looks at a record: often at first, since most are through at once. */
const FIRST_LOOK = 10
const LONGEST_LOOK = 250

/** The first round is one interval from now: a gateway has better things to do when it starts. */
export function startCanary({ kinds, interval, deadline, ...parts }: CanaryOptions): Canary {
  const { port, addressOf, records, clear, forget, now, log, metrics } = parts
  const stopping = new AbortController()
  const { signal } = stopping
  const told = new Map<CanaryKind, Told>()
  const nextHop = { protocol: 'smtp', host: '127.0.0.1', port, tls: 'none' } as const

  async function send(kind: CanaryKind): Promise<void> {
    const sentAt = now()
    metrics.canarySent.inc(kind)
    const giveUpAt = performance.now() + deadline
    const { result, why, endedAt, queueId } = await fate(kind, giveUpAt)
    if (queueId !== undefined) await clear(queueId)
    if (queueId !== undefined && result === 'passed') await forget(queueId)
    if (signal.aborted) return
    metrics.canaryResults.inc({ kind, result })
    if (result === 'passed') {
      metrics.canaryLastSuccess.set(kind, now() / 1000)
      metrics.canaryDuration.observe(Math.max(0, (endedAt - sentAt) / 1000), { queueId, labels: { kind } })
    }
    const before = told.get(kind)?.result ?? 'passed'
    told.set(kind, { kind, result, why })
    if (result === before) return
    if (result === 'passed') log.info({ kind }, 'canary-recovered')
    else log.error({ kind, result, why, queueId }, 'canary-failed')
  }

  /** `endedAt` in milliseconds since 1970. */
  async function fate(kind: CanaryKind, giveUpAt: number) {
    let reply: string
    try {
      const mail = sampleMail(kind, now())
      const route = { from: SENDER, to: addressOf(kind), nextHop, helo: CANARY_DOMAIN }
      reply = await transmit({
        mail,
        ...route,
        patience: deadline,
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadline)]),
      })
    } catch (error) {
      const why = error instanceof NextHopError ? `not taken: ${error.message}` : String(error)
      return { result: 'missing', why, endedAt: now(), queueId: undefined } as const
    }
    const queueId = queueIdIn(reply)
    if (queueId === undefined) {
      const { result, why } = judgeRefusal(kind, reply)
      return { result: result === 'waiting' ? 'missing' : result, why, endedAt: now(), queueId } as const
    }
    const { record, result, why } = await follow(kind, queueId, giveUpAt)
    return { result, why, endedAt: record?.events.at(-1)?.at ?? now(), queueId } as const
  }

  async function follow(kind: CanaryKind, queueId: string, giveUpAt: number) {
    let record: MessageRecord | undefined
    let why = 'there is no record of it'
    for (let wait = FIRST_LOOK; ; wait = Math.min(LONGEST_LOOK, 2 * wait)) {
      record = await records.get(queueId)
      if (record !== undefined) {
        const judgement = judgeRecord(kind, record)
        if (judgement.result !== 'waiting') return { record, ...judgement, result: judgement.result }
        why = judgement.why
      }
      if (signal.aborted || performance.now() >= giveUpAt) return { record, result: 'missing', why } as const
      await sleep(wait, undefined, { signal }).catch(() => {})
    }
  }

  async function round(): Promise<void> {
    const failed = (error: unknown) => log.error({ why: String(error) }, 'canary-round-failed')
    await clear().catch(failed)
    await Promise.all(kinds.map(kind => send(kind).catch(failed)))
  }

  async function rounds(): Promise<void> {
    for (let due = performance.now() + interval; ; due = Math.max(due + interval, performance.now())) {
      await sleep(due - performance.now(), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await round()
    }
  }

  const finished = rounds()
  return {
    last: () => [...told.values()],
    async stop() {
      stopping.abort()
      await finished
    },
  }
}
