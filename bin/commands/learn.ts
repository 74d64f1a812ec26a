// elemta learn: teaches rspamd what is ham and what is spam, through its controller: that of the gateway's own rspamd
// (<data_dir>/daemons/controller.json), else the one at host and controller_port of the configuration.
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { Argument, type Command } from 'commander'
import { rspamdAnswers } from '../../local/embedded/probe.ts'
import type { Config } from '../../src/platform/config.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import type { Controller, Kind, Learned } from '../../src/scan/learn.ts'

const STANDARD_INPUT = '-'

export function register(program: Command): void {
  program
    .command('learn')
    .description('teach rspamd: messages that are wanted (ham), or not (spam)')
    .addArgument(new Argument('<kind>').choices(['ham', 'spam']))
    .argument('<files...>', `messages as they were received, one a file; ${STANDARD_INPUT} for standard input`)
    .option('-c, --config <file>', 'configuration file')
    .action(async (kind: Kind, files: readonly string[], options: { config?: string }) => {
      const { loadConfig } = await import('../../src/platform/config-load.ts')
      const { learn } = await import('../../src/scan/learn.ts')
      const controller = await findController(loadConfig(options.config))
      const counts = { learned: 0, known: 0, skipped: 0, refused: 0, fuzzy: 0 }
      for (const file of files) {
        const learned = await learn(controller, kind, await read(file))
        counts[learned.bayes]++
        if (learned.fuzzy) counts.fuzzy++
        process.stdout.write(`${file}: ${inWords(learned)}\n`)
      }
      process.stdout.write(summary(kind, counts))
      if (counts.refused > 0) process.exitCode = 1
    })
}

/** Throws ExitError when nobody answers who could learn. */
export async function findController(config: Config): Promise<Controller> {
  const { enabledPlugin } = await import('../../src/platform/config.ts')
  const { readController } = await import('../../local/embedded/controller-file.ts')
  const settings = enabledPlugin(config, 'rspamd')
  if (settings === undefined) throw new ExitError(EXIT.config, 'the plugin rspamd is not enabled: nobody learns')
  const { host, controller_port: port, password, managed } = settings
  const own = managed === false ? undefined : readController(config.data_dir)
  if (own !== undefined && (await rspamdAnswers(own.host, own.port))) return own
  if (await rspamdAnswers(host, port)) return { host, port, password }
  const help = 'start the gateway, or set host and controller_port of the plugin rspamd'
  throw new ExitError(EXIT.unavailable, `no controller of rspamd answers on ${host}:${port}: ${help}`)
}

async function read(file: string): Promise<Buffer> {
  const content = file === STANDARD_INPUT ? await buffer(process.stdin) : await readFile(file).catch(unreadable)
  if (content.length === 0) throw new ExitError(EXIT.usage, `${file} is empty`)
  return content
}

function unreadable(error: Error): never {
  throw new ExitError(EXIT.usage, `cannot be read: ${error.message}`)
}

export function inWords({ bayes, detail, fuzzy }: Learned): string {
  return [bayes, ...(detail === '' ? [] : [`(${detail})`]), ...(fuzzy ? ['with its fuzzy hashes'] : [])].join(' ')
}

type Counts = Record<Learned['bayes'] | 'fuzzy', number>

function summary(kind: Kind, { learned, known, skipped, refused, fuzzy }: Counts): string {
  const hashes = kind === 'spam' ? 'fuzzy hashes stored of' : 'fuzzy hashes removed of'
  return `${kind}: ${learned} learned, ${known} known already, ${skipped} skipped, ${refused} refused; ${hashes} ${fuzzy}\n`
}
