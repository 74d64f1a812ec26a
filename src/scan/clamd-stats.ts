// What clamd's answer to STATS says: threads, waiting requests, memory. Pure. A line that is not there, or that clamd
// does not know (N/A: its C library does not tell), is absent from the result, never a zero.

export type ClamdStats = Readonly<{
  threads?: Readonly<{ live: number; idle: number; max: number }>
  /** Requests that wait for a thread. */
  queued?: number
  /** Octets by kind. */
  memory: Partial<Record<MemoryKind, number>>
}>

const MEMORY_KINDS = ['heap', 'mmap', 'used', 'free', 'releasable', 'pools_used', 'pools_total'] as const
type MemoryKind = (typeof MEMORY_KINDS)[number]

const MEBIBYTE = 1024 * 1024

/** Undefined when this is no answer to STATS. With several pools of threads, their sum. */
export function readStats(reply: string): ClamdStats | undefined {
  if (!/^POOLS: \d+$/m.test(reply) || !/^END$/m.test(reply)) return undefined
  const threads = [...reply.matchAll(/^THREADS: live (\d+) +idle (\d+) +max (\d+)/gm)]
  const queues = [...reply.matchAll(/^QUEUE: (\d+) items/gm)]
  const [, memory = ''] = /^MEMSTATS: (.*)$/m.exec(reply) ?? []
  const sum = (matches: RegExpExecArray[], group: number) =>
    matches.reduce((total, match) => total + Number(match[group]), 0)
  return {
    ...(threads.length > 0 && { threads: { live: sum(threads, 1), idle: sum(threads, 2), max: sum(threads, 3) } }),
    ...(queues.length > 0 && { queued: sum(queues, 1) }),
    memory: readMemory(memory),
  }
}

/** `heap 3.656M mmap N/A … pools 1 pools_used 5.886M pools_total 5.968M` */
function readMemory(line: string): ClamdStats['memory'] {
  const words = line.trim().split(/\s+/)
  const found = MEMORY_KINDS.map(kind => [kind, /^([\d.]+)M$/.exec(words[words.indexOf(kind) + 1] ?? '')?.[1]] as const)
  return Object.fromEntries(
    found.flatMap(([kind, mebibytes]) => (mebibytes === undefined ? [] : [[kind, Number(mebibytes) * MEBIBYTE]])),
  )
}
