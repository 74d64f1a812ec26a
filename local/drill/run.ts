// Runs drills: the faults that prove the wanted alerts, those of one stack after each other, the stacks side by side.
// All stacks share one rspamd, whose compiled patterns are kept between runs. Whatever happens, all that was started is
// ended, and the directory is removed unless the caller wants to keep it.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Rspamd, startRspamd } from '../embedded/rspamd.ts'
import type { Fault, StackName } from './fault.ts'
import { FAULTS } from './faults.ts'
import { proveFault, type Row } from './prove.ts'
import { proveSilence } from './prove-silence.ts'
import { startStack } from './stack.ts'

export type DrillOptions = Readonly<{
  /** Names of alerts; all of them when empty. */
  alerts: readonly string[]
  /** Left behind with all files and logs; a temporary one, removed, unless given. */
  keep?: string | undefined
  log: Log
  signal: AbortSignal
  /** Told as soon as they are known, and what is being done now. */
  onRow(row: Row): void
  onFault(fault: Fault): void
}>

/** Stacks at the same time. */
const SIDE_BY_SIDE = 3
/** Compiling rspamd's patterns takes 20 s. */
const PATTERNS = '/var/tmp/elemta-hyperscan'

/** Every alert that a drill exists for. */
export const DRILLED: readonly string[] = [...new Set(FAULTS.flatMap(({ proves }) => proves.map(({ alert }) => alert)))]

/** The faults for these alerts, each with only what is asked of it. */
export function faultsFor(alerts: readonly string[]): Fault[] {
  if (alerts.length === 0) return [...FAULTS]
  return FAULTS.map(fault => ({ ...fault, proves: fault.proves.filter(({ alert }) => alerts.includes(alert)) })).filter(
    ({ proves }) => proves.length > 0,
  )
}

/** Throws what keeps a drill from being done at all, such as a missing program; else a row for each alert. */
export async function runDrills({ alerts, keep, log, signal, onRow, onFault }: DrillOptions): Promise<Row[]> {
  const faults = faultsFor(alerts)
  const dir = keep !== undefined ? resolve(keep) : mkdtempSync(join(tmpdir(), 'elemta-drill-'))
  mkdirSync(dir, { recursive: true })
  chmodSync(dir, 0o755) // the daemons' own accounts must get through
  const rows: Row[] = []
  const stacks = Map.groupBy(faults, ({ stack }) => stack)
  let rspamd: Rspamd | undefined
  try {
    rspamd = await startRspamd({ dir, log, signal, hyperscanDir: PATTERNS, zones: '', ephemeral: true })
    const waiting = [...stacks]
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runStack(rspamd!, ...next)
    }
    await settled(Array.from({ length: SIDE_BY_SIDE }, worker))
  } finally {
    await rspamd?.stop()
    if (keep === undefined) rmSync(dir, { recursive: true, force: true })
  }
  return rows

  async function runStack(shared: Rspamd, name: StackName, own: readonly Fault[]): Promise<void> {
    signal.throwIfAborted()
    const stack = await startStack({ name, dir: join(dir, name), rspamd: shared, log })
    try {
      for (const fault of own) {
        onFault(fault)
        for (const row of await (fault.silences ? proveSilence : proveFault)(fault, stack, { signal })) {
          rows.push(row)
          onRow(row)
        }
      }
    } finally {
      await stack.stop()
    }
  }
}

/** All of them have ended; then throws what the first failed with. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}
