// `npm run bench`: measures Elemta beside Postfix, Haraka and smtp-server on this machine, prints Markdown tables and
// writes the same figures as JSON. See README.md. Exit 0 when everything was measured, whatever the figures say;
// 1 when a case failed; 69 when a program is missing.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { CASES, type Case, type CaseName } from './cases.ts'
import { cores } from './machine.ts'
import { run, temporaryDirectory } from './program.ts'
import { isInstalled, missing } from './requirements.ts'
import { buildSyncShim } from './slow-sync.ts'

const EX_USAGE = 64
const EX_UNAVAILABLE = 69

const say = (text: string) => process.stderr.write(`${text}\n`)
const refuse = (text: string, code: number): never => {
  say(text)
  process.exit(code)
}

const { values, positionals } = readOptions()
const asked = values.case ?? (positionals.length > 0 ? positionals : Object.keys(CASES))
const names = asked.flatMap(list => list.split(','))
const unknown = names.find(name => !(name in CASES))
if (unknown !== undefined) refuse(`no case ${unknown}; there are: ${Object.keys(CASES).join(', ')}`, EX_USAGE)
const chosen = names.map((name): [string, Case] => [name, CASES[name as CaseName]])
if (process.getuid?.() !== 0) refuse('the benchmark needs root: Postfix cannot be started without', EX_UNAVAILABLE)
const absent = missing(chosen.flatMap(([, { requires }]) => requires))
if (absent !== undefined) refuse(absent, EX_UNAVAILABLE)
process.env.PATH = `${process.env.PATH}:/usr/sbin:/sbin`

const directory = temporaryDirectory(values.dir)
const plan = {
  directory,
  rounds: number('rounds'),
  seconds: number('seconds'),
  patience: number('patience'),
  servers: values.servers.split(','),
  shim: isInstalled('gcc') ? await buildSyncShim(directory) : undefined,
  say,
}

const machine = `${cores} cores, ${cpus()[0]?.model}, Linux ${release()}, Node ${process.version}, ${await fileSystem()}`
const results: Record<string, unknown> = {}
process.stdout.write(`## Benchmark, ${new Date().toISOString().slice(0, 10)}\n\n${machine}\n\n`)
for (const [name, { measure }] of chosen) {
  say(`— ${name}`)
  try {
    const { markdown, figures } = await measure(plan)
    process.stdout.write(`${markdown}\n`)
    results[name] = figures
  } catch (error) {
    process.exitCode = 1
    const reason = error instanceof Error ? error.message : String(error)
    process.stdout.write(`### ${name}\n\nnot measured: ${reason}\n\n`)
    results[name] = { failed: reason }
  }
}
mkdirSync(dirname(values.json), { recursive: true })
writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), machine, results }, null, 2)}\n`)
say(`written to ${values.json}`)
process.exit()

function readOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        case: { type: 'string', multiple: true },
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '3' },
        dir: { type: 'string', default: '/var/tmp' },
        json: { type: 'string', default: join(import.meta.dirname, '../../data/bench.json') },
        servers: { type: 'string', default: 'elemta,postfix,haraka,smtp-server' },
        patience: { type: 'string', default: '3' },
      },
    })
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}. The options: test/bench/README.md`, EX_USAGE)
  }
}

function number(option: 'rounds' | 'seconds' | 'patience'): number {
  const value = Number(values[option])
  return value > 0 ? value : refuse(`--${option}: ${values[option]} is not a number above 0`, EX_USAGE)
}

async function fileSystem(): Promise<string> {
  const type = (await run('stat', ['-f', '-c', '%T', directory])).trim()
  return `${values.dir} on ${type}${type === 'tmpfs' ? ' (no disk: nothing here is durable, choose another --dir)' : ''}`
}
