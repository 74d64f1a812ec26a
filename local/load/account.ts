// The account of a load: every attempt that was begun ends as accepted, refused or not answered, and is counted at both
// ends, so that one which was lost shows. Latencies are from when the attempt was due: a server that holds up the load
// does not look fast for it.
import type { Answer } from './attempt.ts'
import type { Expectations, Kind } from './mix.ts'

export type Percentiles = Readonly<{ p50: number; p95: number; p99: number; max: number }>

export type Tally = Readonly<{
  sent: number
  accepted: number
  /** By reply code. */
  refused: Readonly<Record<string, number>>
  /** By what was in the way. */
  unanswered: Readonly<Record<string, number>>
  /** Milliseconds, of the answered. */
  latency: Percentiles | undefined
}>

export type Account = Tally &
  Readonly<{
    /** sent − accepted − refused − not answered: 0, or the generator itself is wrong. */
    imbalance: number
    kinds: Readonly<Partial<Record<Kind, Tally>>>
    /** Messages whose last answer was not what --expect says, in words. */
    unexpected: readonly string[]
  }>

export type Entry = Readonly<{ answered(answer: Answer): void }>

export type Book = Readonly<{
  /** An attempt begins; `due` as `performance.now()`. */
  begin(kind: Kind, due: number): Entry
  /** The last word on a message: after this nobody tries it again. */
  settle(kind: Kind, answer: Answer): void
  counts(): Readonly<{ sent: number; accepted: number; refused: number; unanswered: number }>
  close(): Account
}>

type Column = {
  sent: number
  accepted: number
  refused: Map<string, number>
  unanswered: Map<string, number>
  latencies: number[]
}

export function openBook(expected: Expectations): Book {
  const columns = new Map<Kind, Column>()
  const all = emptyColumn()
  const unexpected = new Map<string, number>()

  const columnOf = (kind: Kind) => {
    const column = columns.get(kind) ?? emptyColumn()
    columns.set(kind, column)
    return column
  }

  return {
    begin(kind, due) {
      const both = [columnOf(kind), all]
      for (const column of both) column.sent++
      return {
        answered({ code, text }) {
          const latency = performance.now() - due
          for (const column of both) {
            if (code === undefined) add(column.unanswered, text)
            else if (code < 300) column.accepted++
            else add(column.refused, String(code))
            if (code !== undefined) column.latencies.push(latency)
          }
        },
      }
    },

    settle(kind, { code, text }) {
      const codes = expected.get(kind)
      if (codes === undefined || codes.some(wanted => String(code ?? '').startsWith(wanted))) return
      add(unexpected, `${kind}: expected ${codes.join(' or ')}, got ${code ?? 'no answer'} (${text})`)
    },

    counts: () => ({
      sent: all.sent,
      accepted: all.accepted,
      refused: sum(all.refused),
      unanswered: sum(all.unanswered),
    }),

    close() {
      const never = [...expected.keys()].filter(kind => !columns.has(kind)).map(kind => `${kind}: none was sent`)
      const whole = tallyOf(all)
      return {
        ...whole,
        imbalance: all.sent - all.accepted - sum(all.refused) - sum(all.unanswered),
        kinds: Object.fromEntries([...columns].map(([kind, column]) => [kind, tallyOf(column)])),
        unexpected: [...[...unexpected].map(([what, times]) => `${what}, ${times} times`), ...never],
      }
    },
  }
}

function emptyColumn(): Column {
  return { sent: 0, accepted: 0, refused: new Map(), unanswered: new Map(), latencies: [] }
}

function tallyOf({ sent, accepted, refused, unanswered, latencies }: Column): Tally {
  return {
    ...{ sent, accepted },
    refused: Object.fromEntries(refused),
    unanswered: Object.fromEntries(unanswered),
    latency: percentiles(latencies),
  }
}

/** Undefined of no values. */
export function percentiles(values: readonly number[]): Percentiles | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const max = sorted.at(-1)
  if (max === undefined) return undefined
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max }
}

function add(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0)
}
