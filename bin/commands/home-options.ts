// `--home`, `--stage`, `--endpoint`: which home an operator's command is about, where it is not the configuration's own.
// They are options of every command that acts on mail, and hold for the one command that this process runs.
//   --home aws --stage dev    what `npm run deploy -- --stage dev` has made, with the operator's own credentials
//   --home aws                `storage.aws` of the configuration
//   --home embedded           `data_dir` of the configuration
import { type Command, Option } from 'commander'
import type { Config } from '../../src/platform/config.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

export type HomeName = Config['storage']['home']
export type HomeOptions = Readonly<{ home?: HomeName; stage?: string; endpoint?: string }>

/** A home to act on. */
export type OperatorHome = Readonly<{
  config: Config
  /** Said on the command line: not the home of a gateway that may run here. */
  chosen: boolean
  /** Where its release key is, if not in `data_dir`. */
  releaseKey?: () => Promise<Buffer>
}>

/** Commands that act on what mail is kept in. */
const COMMANDS = ['trace', 'ledger', 'queue', 'mailq', 'postqueue', 'postsuper', 'top', 'dlq', 'quarantine', 'greylist']

let chosen: HomeOptions = {}

/** Adds the options to those of the program's commands that take them. */
export function addHomeOptions(program: Command): void {
  for (const command of program.commands) {
    if (!COMMANDS.includes(command.name())) continue
    for (const one of [command, ...command.commands]) {
      if (one.options.some(({ long }) => long === '--config')) addTo(one)
    }
  }
}

function addTo(command: Command): void {
  command
    .addOption(new Option('--home <home>', 'act on this home').choices(['embedded', 'aws']))
    .option('--stage <stage>', 'with --home aws: of deployments/')
    .option('--endpoint <url>', 'with --home aws: of an emulator')
    .hook('preAction', (_, action) => {
      chosen = action.opts<HomeOptions>()
    })
}

/** The home that this command is about. Throws ConfigError, or ExitError where the options make no sense. */
export function operatorHome(configFile: string | undefined): Promise<OperatorHome> {
  return homeOf(chosen, configFile)
}

export async function homeOf(options: HomeOptions, configFile: string | undefined): Promise<OperatorHome> {
  const { home, stage, endpoint } = options
  if (home !== 'aws' && (stage !== undefined || endpoint !== undefined)) {
    throw new ExitError(EXIT.usage, '--stage and --endpoint go with --home aws')
  }
  const { loadConfig } = await import('../../src/platform/config-load.ts')
  if (home === undefined) return { config: loadConfig(configFile), chosen: false }
  if (stage !== undefined) {
    const { deployedHome } = await import('./deployed-home.ts')
    return { ...(await deployedHome(stage, endpoint)), chosen: true }
  }
  const config = loadConfig(configFile)
  const { aws } = config.storage
  if (home === 'aws' && aws === undefined) {
    throw new ExitError(EXIT.usage, '--home aws: say --stage, or where it is: storage.aws of the configuration')
  }
  const place = aws && { ...aws, ...(endpoint !== undefined && { endpoint }) }
  return { config: { ...config, storage: { home, ...(place && { aws: place }) } }, chosen: true }
}
