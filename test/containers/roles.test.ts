// A deployment's containers as processes of this machine, each with nothing but its environment: mail goes from one to the
// other by AWS alone (emulated), and SIGTERM ends a task without cutting a session.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { stringify } from 'yaml'
import { openAws } from '../../src/backends-aws.ts'
import { readLedger } from '../../src/spool/ledger.ts'
import { type NextHop, startNextHop } from '../deliver/next-hop.ts'
import { mail, send } from '../pipeline/mail.ts'
import { withScanners } from '../pipeline/scanners.ts'
import { awsFront, awsPlace, POLLS, storageBlock } from '../storage/aws-home.ts'
import type { Front } from '../storage/http-front.ts'

type Task = Readonly<{ ready: { smtp: { port: number }[]; ops: { port: number } }; stop(): Promise<number | null> }>

let front: Front
let nextHop: NextHop
let directory: string
const started: ReturnType<typeof spawn>[] = []

beforeAll(async () => {
  front = await awsFront()
  nextHop = await startNextHop()
  directory = mkdtempSync(join(tmpdir(), 'elemta-roles-'))
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await nextHop.close()
  await front.close()
  rmSync(directory, { recursive: true })
})

async function startTask(name: string, configuration: object): Promise<Task> {
  const main = new URL(`../../containers/${name}/main.ts`, import.meta.url).pathname
  const config = { ...configuration, data_dir: join(directory, name) }
  const child = spawn(process.execPath, [main], {
    cwd: directory,
    env: { PATH: process.env.PATH, ELEMTA_CONFIG_YAML: stringify(config) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  const ready = await new Promise<Task['ready']>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', line => {
      const said = JSON.parse(line)
      if (said.event === 'ready') resolve(said)
    })
    ended.then(code => reject(new Error(`${name} ended with ${code}`)), reject)
  })
  return {
    ready,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

test('each role does its part, is healthy while it drains, and ends with 0', async () => {
  const place = await awsPlace(front.endpoint)
  const config = {
    hostname: 'mx.example.com',
    listeners: [{ address: '127.0.0.1', port: 0, mode: 'mx' }],
    ops: { address: '127.0.0.1', port: 0 },
    relay: { domains: ['example.com'], networks: [] },
    routes: [{ domains: ['*'], to: nextHop.url }],
    ...withScanners(inject('clamav'), inject('rspamd')),
    storage: storageBlock(place),
  }
  const [ingress, scan, delivery, upkeep] = await Promise.all([
    startTask('smtp-ingress', config),
    startTask('scan-worker', config),
    startTask('delivery-worker', config),
    startTask('upkeep', { ...config, canary: { interval: '2s', deadline: '2s' } }),
  ])
  const { port } = ingress.ready.smtp[0]!
  expect(scan.ready.smtp).toEqual([])
  const { reply, queueId } = await send(port, { content: mail({ body: 'Hello Bob\r\n' }) })
  expect(reply).toMatch(/^250 /)
  await expect.poll(() => nextHop.messages.length, { timeout: 15_000 }).toBe(1)
  expect(nextHop.messages[0]!.content.toString()).toContain('Hello Bob')

  const backends = await openAws({ place, now: Date.now, polls: POLLS })
  try {
    const stateOf = async () => (await backends.records.get(queueId))?.recipients[0]?.state
    await expect.poll(stateOf, { timeout: 10_000 }).toBe('delivered')
    expect(await readLedger(backends)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })
  } finally {
    await backends.close()
  }

  // Who cares for all sends canaries through the others.
  const metricsOf = ({ ready }: Task) => fetch(`http://127.0.0.1:${ready.ops.port}/metrics`).then(page => page.text())
  for (const kind of ['clean', 'eicar', 'gtube']) {
    const passed = new RegExp(`^elemta_canary_results_total\\{kind="${kind}",result="passed"\\} [1-9]`, 'm')
    await expect.poll(() => metricsOf(upkeep), { timeout: 20_000 }).toMatch(passed)
  }

  expect(await delivery.stop()).toBe(0)
  // In the middle of a message.
  const socket = connect(port, '127.0.0.1')
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const say = async (line: string, last: RegExp) => {
    if (line !== '') socket.write(`${line}\r\n`)
    for (;;) {
      const { value } = await lines.next()
      if (value === undefined || last.test(value)) return value
    }
  }
  await say('', /^220 /)
  await say('HELO client.example.org', /^250 /)
  await say('MAIL FROM:<alice@example.org>', /^250 /)
  await say('RCPT TO:<bob@example.com>', /^250 /)
  await say('DATA', /^354 /)
  const stopped = ingress.stop()
  const health = () => fetch(`http://127.0.0.1:${ingress.ready.ops.port}/healthz`).then(({ status }) => status)
  const refused = () =>
    new Promise(resolve => {
      connect(port, '127.0.0.1').resume().on('error', resolve).on('close', resolve)
    })
  await refused()
  expect(await health()).toBe(200)
  expect(await say('Subject: late\r\n\r\nStill here\r\n.', /^\d/)).toMatch(/^250 /)
  socket.end('QUIT\r\n')
  expect(await stopped).toBe(0)

  // Nobody delivers it. One tells so, or sums over all would count it more than once.
  await expect.poll(() => metricsOf(upkeep)).toMatch(/^elemta_queue_size\{queue_type="incoming"\} [1-9]/m)
  expect(await metricsOf(scan)).toContain('elemta_queue_size{queue_type="incoming"} 0')
  expect(await Promise.all([scan.stop(), upkeep.stop()])).toEqual([0, 0])
}, 90_000)

test('a task without a configuration that makes sense says why, with the exit code for it', async () => {
  const main = new URL('../../containers/smtp-ingress/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, ELEMTA_CONFIG_YAML: 'hostnam: mx.example.com' },
  })
  let said = ''
  child.stderr.on('data', text => {
    said += text
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(78)
  expect(said).toContain('ELEMTA_CONFIG_YAML:1:1: hostnam: unknown key; did you mean "hostname"?')
})
