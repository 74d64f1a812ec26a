// elemta postsuper: Postfix's command of that name. `-` instead of an id reads ids from standard input.
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { collect } from './arguments.ts'
import type { Selection } from './queue-options.ts'

type Options = Readonly<{ h?: string[]; H?: string[]; r?: string[]; d?: string[]; yes?: true; config?: string }>

/** Requeueing lets go what is held, and tries it all now. */
const ACTS = { h: ['hold'], H: ['release'], r: ['release', 'retry'], d: ['delete'] } as const
const WHAT = '<id>'

export function register(program: Command): void {
  program
    .command('postsuper')
    .description("hold, release, requeue and delete messages as Postfix's postsuper does")
    .option(`-h ${WHAT}`, 'hold the message, or ALL', collect)
    .option(`-H ${WHAT}`, 'release the message, or ALL', collect)
    .option(`-r ${WHAT}`, 'requeue the message, or ALL', collect)
    .option(`-d ${WHAT}`, 'delete the message, or ALL', collect)
    .option('--yes', 'with ALL: it is meant')
    .option('-c, --config <file>', 'configuration file')
    .argument('[queues...]', 'only in these: hold, deferred, incoming, active')
    .helpOption('--help', 'display help for command')
    .action(run)
}

async function run(queues: readonly string[], options: Options): Promise<void> {
  const { withOperator } = await import('./operator-client.ts')
  const { runAct, selectionOf, statesOf, tellAct } = await import('./queue-options.ts')
  const { EXIT, ExitError } = await import('../../src/platform/exit.ts')
  const asked = (['h', 'H', 'r', 'd'] as const).filter(letter => options[letter] !== undefined)
  if (asked.length === 0) throw new ExitError(EXIT.usage, 'say -h, -H, -r or -d with a queue id, or ALL')
  const states = queues.length === 0 ? undefined : [...new Set(queues.flatMap(statesOf))]
  const steps: { letter: keyof typeof ACTS; selection: Selection }[] = []
  for (const letter of asked) {
    const named = options[letter] ?? []
    const ids = named.includes('-') ? [...named.filter(id => id !== '-'), ...(await idsFromInput())] : named
    if (ids.length === 0) continue
    const selection = selectionOf(ids, options.yes ? { yes: true } : {})
    steps.push({ letter, selection: { ...selection, ...(states && { filter: { states } }) } })
  }
  await withOperator(options.config, async call => {
    for (const { letter, selection } of steps) {
      const [act, then] = ACTS[letter]
      const answer = await runAct(call, `queue/${act}`, selection)
      if (then === undefined) tellAct(act, answer, {})
      else {
        const second = await runAct(call, `queue/${then}`, selection)
        const unknown = answer.unknown.filter(id => second.unknown.includes(id))
        const busy = [...answer.busy, ...second.busy]
        tellAct(act, answer.messages > 0 ? { ...answer, unknown, busy } : { ...second, unknown, busy }, {})
      }
    }
  })
}

async function idsFromInput(): Promise<string[]> {
  return (await text(process.stdin)).split(/\s+/).filter(id => id !== '')
}
