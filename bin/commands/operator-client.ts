// How commands act on the spool: through the operator's port of the gateway that runs, else on the home itself: a data
// directory is ours for that time, AWS is shared with whoever works on it. All run the same table of operations.
// A request that is refused ends the command with an exit code of sysexits(3): see docs/queue.md.
import { userInfo } from 'node:os'
import { WHO_HEADER } from '../../src/console/api.ts'
import { type OperatorAccess, readOperatorAccess } from '../../src/console/operator-token.ts'
import type { Config } from '../../src/platform/config.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { Answer } from '../../src/spool/operations.ts'
import { operatorHome } from './home-options.ts'
import type { Ask } from './own-spool.ts'

/** Runs an operation by its name and returns its result. Throws ExitError when it is refused or nobody can run it. */
export type CallOperator = <T>(name: string, input: unknown) => Promise<T>

/** One operation. */
export function callOperator<T>(configFile: string | undefined, name: string, input: unknown): Promise<T> {
  return withOperator(configFile, call => call<T>(name, input))
}

/** Several operations: the data directory, should it be opened, stays open until `use` is done. */
export async function withOperator<T>(
  configFile: string | undefined,
  use: (call: CallOperator) => Promise<T>,
): Promise<T> {
  const home = await operatorHome(configFile)
  const { config } = home
  const gateway = home.chosen ? undefined : await reachGateway(config)
  if (gateway !== undefined) return use(async (name, input) => resultOf(await gateway(name, input)))
  if (config.storage.home === 'aws') {
    const { withSharedHome } = await import('./shared-home.ts')
    return withSharedHome(home, caller(), ask => use(async (name, input) => resultOf(await ask(name, input))))
  }
  const { withOwnSpool } = await import('./own-spool.ts')
  return withOwnSpool(config, caller(), ask => use(async (name, input) => resultOf(await ask(name, input))))
}

/** Undefined when no gateway answers that has this data directory. */
async function reachGateway(config: Config): Promise<Ask | undefined> {
  const access = accessTo(config)
  if (access === undefined) return undefined
  const ask: Ask = async (name, input) => {
    const response = await fetch(`${access.url}/v1/${name}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${access.token}`,
        'content-type': 'application/json',
        [WHO_HEADER]: encodeURIComponent(caller()),
      },
      body: JSON.stringify(input),
    })
    return { status: response.status, body: await response.json() }
  }
  // A gateway that was killed leaves its token behind, and another program may have its port by now.
  const alive = await ask('ping', {}).catch(() => undefined)
  return alive?.status === 200 ? ask : undefined
}

function accessTo(config: Config): OperatorAccess | undefined {
  try {
    return readOperatorAccess(config.data_dir)
  } catch (error) {
    throw new ExitError(EXIT.noPermission, `${(error as Error).message}: be the gateway's user, or root`)
  }
}

function resultOf<T>({ status, body }: Answer): T {
  if (status === 200) return body as T
  const { error } = body as { error?: string }
  const exitCode =
    status === 404 ? EXIT.noInput : status === 409 ? EXIT.temporary : status < 500 ? EXIT.usage : EXIT.software
  throw new ExitError(exitCode, error ?? `the gateway answered ${status}`)
}

/** Who acts, for the audit. */
function caller(): string {
  return userInfo().username
}
