// Runs operations on the data directory of a gateway that does not run: for that time it is ours. What is changed is
// logged on standard error, as the gateway would have it in its log.
import { hasSpool, openEmbedded } from '../../src/backends.ts'
import type { Config } from '../../src/platform/config.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { createLog, type Log } from '../../src/platform/log.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { type Answer, createOperations, runOperation } from '../../src/spool/operations.ts'
import { createQuarantineOperations } from '../../src/spool/quarantine-operations.ts'
import { readReleaseKey } from '../../src/spool/release-key.ts'
import type { Backends } from '../../src/storage/backends.ts'
import { SpoolError } from '../../src/storage/spool-error.ts'

export type Ask = (name: string, input: unknown) => Promise<Answer>

/** Throws ExitError when there is no spool, or another process has it. */
export async function withOwnSpool<T>(config: Config, who: string, use: (ask: Ask) => Promise<T>): Promise<T> {
  const { data_dir: dataDir } = config
  if (!hasSpool(dataDir)) throw new ExitError(EXIT.unavailable, `there is no spool in ${dataDir}, and no gateway runs`)
  const log = createLog({ ...config.log, hostname: config.hostname, terminal: process.stderr.isTTY, stderr: true })
  const backends = await openEmbedded({ dataDir, now: Date.now, log }).catch(error => {
    if (!(error instanceof SpoolError)) throw error
    throw new ExitError(EXIT.unavailable, `no gateway answers on the operator's port, and ${error.message}`)
  })
  try {
    return await use(operationsOn({ backends, log, releaseKey: () => readReleaseKey(dataDir) }, who))
  } finally {
    await backends.close()
  }
}

type Opened = Readonly<{ backends: Backends; log: Log; releaseKey: () => Buffer }>

/** The operations in this process, one act after the other. */
export function operationsOn({ backends, log, releaseKey }: Opened, who: string): Ask {
  let turn: Promise<unknown> = Promise.resolve()
  function alone<R>(act: () => Promise<R>): Promise<R> {
    const done = turn.then(act)
    turn = done.catch(() => {})
    return done
  }
  const parts = { backends, now: Date.now, log, metrics: createMetrics(), alone }
  const operations = createOperations(parts, createQuarantineOperations(parts, { releaseKey }))
  return (name, input) => runOperation(operations, name, input, who)
}
