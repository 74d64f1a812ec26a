// elemta drill: breaks a private copy of everything on purpose, and sees whether its alerts reach those who must know.
// Exit code 1 when one alert did not fire, did not arrive, or did not end.
import type { Command } from 'commander'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

type Options = Readonly<{ json?: true; list?: true; keep?: string; verbose?: true }>

export function register(program: Command): void {
  program
    .command('drill')
    .description('bring about the fault of each alert in a private copy of everything, and see who is told')
    .argument('[alerts...]', 'names of alerts; all of them when none is given, or "all"')
    .option('--list', 'only list the alerts and what is done for each')
    .option('--json', 'print JSON')
    .option('--keep <dir>', 'a directory for all files and logs of the drill, which is left behind')
    .option('--verbose', 'say what is started and ended')
    .action(run)
}

async function run(names: readonly string[], { json, list, keep, verbose }: Options): Promise<void> {
  const { DRILLED, faultsFor, runDrills } = await import('../../local/drill/run.ts')
  const { formatMatrix, isGreen, nameOf } = await import('../../local/drill/report.ts')
  const { createLog } = await import('../../src/platform/log.ts')
  const alerts = names.includes('all') ? [] : names
  const unknown = alerts.find(name => !DRILLED.includes(name))
  if (unknown !== undefined) {
    throw new ExitError(EXIT.usage, `there is no drill for ${unknown}; elemta drill --list tells which there are`)
  }
  if (list) {
    for (const { what, proves } of faultsFor(alerts)) {
      for (const { alert, severity, labels = {} } of proves) {
        const line = { alert, severity, labels, fault: what }
        process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${nameOf(line)}: ${what}\n`)
      }
    }
    return
  }
  const stopping = new AbortController()
  const giveUp = () => stopping.abort(new ExitError(EXIT.software, 'the drill was broken off'))
  process.once('SIGINT', giveUp).once('SIGTERM', giveUp)
  const tell = (text: string) => void process.stderr.write(`${text}\n`)
  const rows = await runDrills({
    ...{ alerts, keep, signal: stopping.signal },
    log: createLog({ level: verbose ? 'info' : 'error', stderr: true }),
    onFault: ({ what }) => tell(`… ${what}`),
    onRow: row => tell(`${isGreen(row) ? 'green' : 'RED  '}  ${nameOf(row)}`),
  })
  process.stdout.write(json ? `${JSON.stringify(rows)}\n` : formatMatrix(rows))
  if (!rows.every(isGreen)) process.exitCode = 1
}
