// What the entry points of containers do: run one role, or more, with the configuration of ELEMTA_CONFIG_YAML or of a file, and end
// with the exit code and the sentence that the command line would have.
import { exitFor } from '../src/platform/exit.ts'
import type { Role } from './roles.ts'
import { runGateway } from './run-gateway.ts'

export async function runRole(...roles: readonly Role[]): Promise<void> {
  try {
    await runGateway({ roles })
  } catch (error) {
    const { exitCode, message } = exitFor(error)
    process.stderr.write(`${message}\n`)
    process.exit(exitCode)
  }
}
