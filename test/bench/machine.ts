// What the machine does: processor time of a program with all its children, and of everybody else. Linux only (/proc).
// A figure taken while others used the processors is worth less: `observe` says so, `untilQuiet` waits a while for quiet.
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** More than this many cores used by others disturbs a run. */
export const DISTURBING = 0.35
const TICKS_PER_SECOND = 100 // USER_HZ: the same on every Linux

export const cores = availableParallelism()

/** Seconds of processor time that these programs and their descendants, living and ended, have used so far. */
export function processorTime(pids: readonly number[]): number {
  return treeTime(readProcesses(), pids)
}

/** Resident size of these programs, without their children. */
export function residentBytes(pids: readonly number[]): number {
  const kilobytes = pids.map(pid => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  return 1024 * kilobytes.reduce((all, next) => all + next, 0)
}

export type Observation<T> = Readonly<{ result: T; seconds: number; othersCores: number; disturbed: boolean }>

/** Runs `work` and says how many cores others (not our descendants, not the kernel's own threads) used meanwhile. */
export async function observe<T>(work: () => Promise<T>): Promise<Observation<T>> {
  const before = othersTime()
  const started = performance.now()
  const result = await work()
  const seconds = (performance.now() - started) / 1000
  const othersCores = Math.max(0, othersTime() - before) / seconds
  return { result, seconds, othersCores, disturbed: othersCores > DISTURBING }
}

/** Waits until others use less than the disturbing share, at most `seconds`. */
export async function untilQuiet(seconds: number): Promise<void> {
  const giveUp = Date.now() + seconds * 1000
  const pause = () => new Promise<void>(resolve => setTimeout(resolve, 300))
  while (Date.now() < giveUp && (await observe(pause)).disturbed);
}

type Process = Readonly<{ pid: number; parent: number; own: number; endedChildren: number }>

/**
 * Counted from the processes: the totals in /proc/stat are taken at every tick of the clock, and servers that sleep by
 * timers run just then. Time that the host gave to other machines (steal) is only there, and disturbs as well.
 */
function othersTime(): number {
  const processes = readProcesses()
  // Process 2 is the parent of the kernel's threads: flushing what we wrote is our work, not somebody else's.
  const roots = processes.filter(({ pid, parent }) => parent === 0 && pid !== 2).map(({ pid }) => pid)
  const steal = Number(readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.split(/\s+/)[8])
  return treeTime(processes, roots) - treeTime(processes, [process.pid]) + steal / TICKS_PER_SECOND
}

function treeTime(processes: readonly Process[], roots: readonly number[]): number {
  const children = Map.groupBy(processes, process => process.parent)
  const byPid = new Map(processes.map(process => [process.pid, process]))
  const sum = (process: Process | undefined): number =>
    process === undefined
      ? 0
      : process.own +
        process.endedChildren +
        (children.get(process.pid) ?? []).reduce((all, next) => all + sum(next), 0)
  return roots.reduce((all, pid) => all + sum(byPid.get(pid)), 0)
}

function readProcesses(): Process[] {
  const processes: Process[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // The name in parentheses may hold anything; the fields after it: state, parent, …, utime, stime, cutime, cstime.
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = (field: number) => Number(fields[field]) / TICKS_PER_SECOND
      processes.push({
        pid: Number(entry),
        parent: Number(fields[1]),
        own: ticks(11) + ticks(12),
        endedChildren: ticks(13) + ticks(14),
      })
    } catch {
      // ended meanwhile
    }
  }
  return processes
}
