// Runs operations in this process on a home that several may have open: no gateway is asked, and none has to stop. What is
// changed is logged on standard error, as a gateway would have it in its log.
import { awsPlaceOf, openAws } from '../../src/backends-aws.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { createLog } from '../../src/platform/log.ts'
import { readReleaseKey } from '../../src/spool/release-key.ts'
import type { OperatorHome } from './home-options.ts'
import { type Ask, operationsOn } from './own-spool.ts'

/** Throws what AWS answers, or ExitError where the configuration does not say where it is. */
export async function withSharedHome<T>(home: OperatorHome, who: string, use: (ask: Ask) => Promise<T>): Promise<T> {
  const { config } = home
  const { aws } = config.storage
  if (aws === undefined) throw new ExitError(EXIT.config, 'storage.aws is not in the configuration')
  const log = createLog({ ...config.log, hostname: config.hostname, terminal: process.stderr.isTTY, stderr: true })
  const backends = await openAws({ place: awsPlaceOf(aws), now: Date.now, log })
  let key: Buffer | undefined
  try {
    const ask = operationsOn({ backends, log, releaseKey: () => key ?? readReleaseKey(config.data_dir) }, who)
    return await use(async (name, input) => {
      if (name === 'quarantine/release') key ??= await home.releaseKey?.()
      return ask(name, input)
    })
  } finally {
    await backends.close()
  }
}
