// elemta load: a load of mail of all kinds at a steady rate, and the account of what became of it.
// Exit code 1 when the account does not add up, the gateway disagrees, or an expectation was not met.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { DEFAULT_MIX, KINDS } from '../../local/load/mix.ts'
import { progressLine } from '../../local/load/report.ts'
import type { Progress } from '../../local/load/run.ts'
import { parseSize } from '../../src/platform/config-units.ts'
import { EXIT, ExitError } from '../../src/platform/exit.ts'
import { bareAddress, durationOf } from './arguments.ts'

type Options = Readonly<{
  server: string
  tls?: true
  submission?: string
  user?: string
  passwordFile?: string
  password?: string
  to: string
  mix: string
  expect?: string
  rate: string
  duration: string
  seed: string
  big: string
  slow: string
  retryAfter: string
  retries: string
  timeout: string
  metrics?: string
  json?: true
}>

const LINE_EVERY = 10_000

export function register(program: Command): void {
  const kinds = Object.entries(KINDS).map(([kind, what]) => `  ${kind.padEnd(9)} ${what}`)
  program
    .command('load')
    .description('send mail of all kinds to a gateway at a steady rate, and account for it')
    .option('--server <host:port>', 'where to send', '127.0.0.1:2525')
    .option('--tls', 'by STARTTLS, whatever the certificate')
    .option('--to <address>', 'recipient; unknown users are of its domain', 'load@example.com')
    .option('--rate <rate>', 'messages per time, whatever becomes of them: 20/s, 300/m', '10/s')
    .option('--duration <time>', 'how long', '30s')
    .option('--mix <shares>', 'kinds and their shares', DEFAULT_MIX)
    .option('--seed <number>', 'the same seed gives the same load', '1')
    .option('--submission <host:port>', 'where users log in (STARTTLS), for the kinds auth and submit')
    .option('--user <name>', 'who logs in')
    .option('--password-file <file>', 'whose first line is the password')
    .option('--password <password>', 'the password itself: others on this machine can see it')
    .option('--big <size>', 'octets of a big message', '2MB')
    .option('--slow <time>', 'how long the octets of a slow message take', '5s')
    .option('--retry-after <time>', 'when a greylisted sender comes back', '2s')
    .option('--retries <number>', 'how often', '3')
    .option('--timeout <time>', 'for one message', '60s')
    .option('--expect <codes>', 'what each message of a kind must be told at last: clean=250,unknown=5,eicar=250|554')
    .option('--metrics <url>', 'the /metrics of the gateway: what it received must be what was accepted')
    .option('--json', 'the account as JSON')
    .addHelpText('after', `\nKinds:\n${kinds.join('\n')}`)
    .action(run)
}

async function run(options: Options): Promise<void> {
  const { runLoad } = await import('../../local/load/run.ts')
  const { formatAccount, total } = await import('../../local/load/report.ts')
  const { disagreement, receivedSoFar } = await import('../../local/load/received.ts')
  const { json, metrics } = options
  const settings = await settingsOf(options)
  const asked = metrics === undefined ? undefined : await receivedSoFar(metrics).catch(unavailable)
  const stopping = new AbortController()
  // The first Ctrl-C ends the sending and still gives the account; another one ends the program.
  process.once('SIGINT', () => stopping.abort())
  const progress = showProgress()
  const account = await runLoad({ ...settings, signal: stopping.signal, onProgress: progress.show })
  progress.end()
  const received =
    metrics === undefined || asked === undefined ? undefined : (await receivedSoFar(metrics).catch(unavailable)) - asked
  const { accepted, unanswered, imbalance, unexpected } = account
  const disagreed = received === undefined ? undefined : disagreement(received, accepted, total(unanswered))
  if (json) process.stdout.write(`${JSON.stringify({ seed: settings.seed, ...account, received, disagreed })}\n`)
  else {
    const agreed = received === undefined ? '' : `${disagreed ?? `received by the gateway: ${received}`}\n`
    process.stdout.write(`${formatAccount(account)}${agreed}`)
  }
  if (imbalance !== 0 || unexpected.length > 0 || disagreed !== undefined) process.exitCode = 1
}

async function settingsOf(options: Options) {
  const { parseExpectations, parseMix, parseRate, parseServer } = await import('../../local/load/mix.ts')
  const { submission, user, passwordFile, expect } = options
  try {
    const mix = parseMix(options.mix)
    const password =
      passwordFile === undefined ? options.password : readFileSync(passwordFile, 'utf8').split(/\r?\n/)[0]!
    const login = user === undefined || password === undefined ? undefined : { user, password }
    if (submission === undefined && (mix.has('auth') || mix.has('submit')))
      throw new RangeError('the kinds auth and submit need --submission HOST:PORT')
    if (login === undefined && mix.has('submit'))
      throw new RangeError('the kind submit needs --user and --password-file')
    return {
      server: parseServer(options.server, 25),
      tls: options.tls ?? false,
      submission: submission === undefined ? undefined : parseServer(submission, 587),
      login,
      to: bareAddress(options.to),
      mix,
      expected: expect === undefined ? new Map() : parseExpectations(expect),
      rate: parseRate(options.rate),
      duration: durationOf(options.duration),
      seed: wholeNumber(options.seed, '--seed'),
      big: parseSize(options.big),
      slow: durationOf(options.slow),
      retryAfter: durationOf(options.retryAfter),
      retries: wholeNumber(options.retries, '--retries'),
      patience: durationOf(options.timeout),
    }
  } catch (error) {
    if (error instanceof ExitError) throw error
    throw new ExitError(EXIT.usage, (error as Error).message)
  }
}

function wholeNumber(text: string, option: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new RangeError(`${option} is a whole number, not "${text}"`)
}

function unavailable(error: Error): never {
  throw new ExitError(EXIT.unavailable, error.message)
}

/** On standard error: a bar that moves on a terminal, else a line now and then. */
function showProgress() {
  const terminal = process.stderr.isTTY
  let last = performance.now()
  return {
    show(progress: Progress) {
      const line = progressLine(progress)
      if (terminal) process.stderr.write(`\r\u001b[K${line}`)
      else if (performance.now() - last >= LINE_EVERY) {
        last = performance.now()
        process.stderr.write(`${line}\n`)
      }
    },
    end: () => void (terminal && process.stderr.write('\n')),
  }
}
