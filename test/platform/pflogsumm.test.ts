// The programs that people read mail logs with, on our log: Debian's pflogsumm and fail2ban with its filter as it comes.
// First a scripted day through the real log, then a real gateway with a next hop that takes, refuses and puts off.
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { findProgram } from '../../local/embedded/program.ts'
import { mintQueueId } from '../../src/mail/queue-id.ts'
import { startNextHop } from '../deliver/next-hop.ts'
import { dial } from '../ingress/dialogue.ts'
import { writeConfig } from '../pipeline/gateway.ts'
import { mail, send } from '../pipeline/mail.ts'
import { ENTRY } from '../pipeline/program.ts'

const run = promisify(execFile)
const LOG_MODULE = new URL('../../src/platform/log.ts', import.meta.url).href

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'elemta-mail-log-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

type Event = Readonly<{ event: string; level?: 'info' | 'warn' | 'error' }> & Record<string, unknown>

/** What a process writes that logs these events in our Postfix format. */
async function logOf(events: readonly Event[], level = 'info'): Promise<string> {
  const script = `
    import { createLog } from ${JSON.stringify(LOG_MODULE)}
    const log = createLog({ format: 'postfix', level: '${level}', hostname: 'mx.example.com' })
    for (const { event, level = 'info', ...fields } of ${JSON.stringify(events)}) log[level](fields, event)`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  return stdout
}

/** pflogsumm's counts by their names in its grand totals, and the whole report. */
async function summaryOf(log: string) {
  const file = join(directory, `${mintQueueId(Date.now())}.log`)
  writeFileSync(file, log)
  const { stdout: report } = await run(findProgram('pflogsumm', 'pflogsumm'), [file])
  const count = (name: string) => Number(new RegExp(`^ *(\\d+) +${name}\\b`, 'm').exec(report)?.[1])
  return { report, count }
}

/** The lines that fail2ban's own filter for Postfix takes for an offence. */
async function offences(log: string, mode: string): Promise<string[]> {
  const file = join(directory, `${mintQueueId(Date.now())}.log`)
  writeFileSync(file, log)
  const program = findProgram('fail2ban-regex', 'fail2ban')
  const { stdout } = await run(program, ['--out', 'row', file, `postfix[mode=${mode}]`], { maxBuffer: 1e7 })
  return stdout.split('\n').filter(row => row.startsWith('['))
}

const ids = Array.from({ length: 4 }, (_, n) => mintQueueId(Date.now() + n))
const stranger = { client: '192.0.2.66', helo: 'bot.example.net', esmtp: true }
const friend = { client: '192.0.2.9', helo: 'mail.example.org', esmtp: true }
const accepted = (queueId: string, recipients: number, size: number) => ({
  ...{ event: 'accepted', queueId, ...friend, reversePath: 'alice@example.org', recipients, size, messageId: '<1@x>' },
})
const hop = { nextHop: 'smtp://hop.example.com:25', remoteAddress: '198.51.100.1', seconds: 0.1, delay: 0.4 }
const refused = { ...stranger, event: 'rejected', queueId: mintQueueId(0), reversePath: 'spam@example.net' }
const bob = { recipient: 'bob@example.com' }

const DAY: readonly Event[] = [
  { event: 'ready', smtp: [] },
  { event: 'child-died', level: 'warn', child: 'clamd' },
  accepted(ids[0]!, 2, 1000),
  { event: 'delivered', queueId: ids[0], ...hop, ...bob, reply: '250 2.0.0 Ok', dsn: '2.0.0' },
  { event: 'delivered', queueId: ids[0], ...hop, recipient: 'eve@example.net', reply: '250 2.0.0 Ok', dsn: '2.0.0' },
  { event: 'removed', queueId: ids[0] },
  accepted(ids[1]!, 1, 200),
  { event: 'deferred', queueId: ids[1], ...bob, nextHop: hop.nextHop, reply: 'connection refused', dsn: '4.4.0' },
  { event: 'deferred', queueId: ids[1], ...hop, ...bob, reply: '451 4.3.0 Later', dsn: '4.3.0' },
  { event: 'failed', queueId: ids[1], ...hop, ...bob, reply: '550 5.1.1 No such user', dsn: '5.1.1' },
  { event: 'removed', queueId: ids[1] },
  accepted(ids[2]!, 1, 300),
  { event: 'scanned', queueId: ids[2], ...friend, decision: 'quarantine', state: 'quarantined', why: 'Eicar (ClamAV)' },
  accepted(ids[3]!, 1, 300),
  { event: 'scanned', queueId: ids[3], ...friend, decision: 'discard', state: 'discarded', why: 'Eicar (ClamAV)' },
  { event: 'removed', queueId: ids[3] },
  { ...refused, stage: 'rcpt', recipient: 'x@example.com', reply: '550 5.1.1 No such user', plugin: 'recipients' },
  { ...refused, stage: 'rcpt', recipient: 'x@other.example', reply: '550 5.7.1 Relaying denied: not ours' },
  {
    ...{ ...refused, stage: 'rcpt', recipient: 'bob@example.com', plugin: 'dnsbl' },
    reply: '554 5.7.1 Client host [192.0.2.66] is listed by zen.example',
  },
  { ...refused, stage: 'mail', reply: '550 5.1.8 Sender address refused: no such domain', plugin: 'sender-domain' },
  {
    ...refused,
    event: 'deferred',
    ...friend,
    stage: 'rcpt',
    ...bob,
    reply: '451 4.7.1 Greylisted',
    plugin: 'greylist',
  },
  { ...refused, event: 'would-refuse', hook: 'recipient', ...bob, reply: '554 5.7.1 Listed', plugin: 'dnsbl' },
  { ...refused, ...friend, stage: 'message', recipients: 1, reply: '554 5.7.1 Eicar (ClamAV)' },
  { event: 'auth-failed', client: '192.0.2.66', user: 'bob', why: 'password', mechanism: 'LOGIN' },
  { event: 'auth-failed', client: '192.0.2.66', user: 'bob', why: 'LDAP is away', level: 'error' },
  { event: 'session-ended', client: '192.0.2.66', port: 5, commands: { ehlo: 1, auth: '0/1', quit: 1 }, ended: 'quit' },
  { event: 'session-ended', client: '192.0.2.66', port: 6, commands: { rcpt: '0/9' }, ended: 'errors' },
  { event: 'session-ended', client: '192.0.2.9', port: 7, commands: { ehlo: 1, mail: 1, quit: 1 }, ended: 'quit' },
]

test('pflogsumm counts what came in and what became of it', async () => {
  const { report, count } = await summaryOf(await logOf(DAY))
  expect(count('received')).toBe(4)
  expect(count('delivered')).toBe(2)
  expect(report).toMatch(/^ +1 +deferred +\(2 +deferrals\)$/m)
  expect(count('bounced')).toBe(1)
  expect(count('rejected')).toBe(6)
  expect(count('reject warnings')).toBe(1)
  expect(count('held')).toBe(1)
  expect(count('discarded')).toBe(1)
  expect(count('bytes received')).toBe(1800)
  expect(count('bytes delivered')).toBe(2000)
})

test('pflogsumm tells domains, next hops and reasons apart', async () => {
  const { report } = await summaryOf(await logOf(DAY))
  const section = (title: string) => {
    const [, from = ''] = report.replaceAll(/ +$/gm, '').split(`\n${title}\n`)
    return from.split(/\n\n(?=\S)/, 1)[0]
  }
  expect(section('Host/Domain Summary: Message Delivery')).toMatch(/ 1 +1000 +2 +0\.4 s +0\.4 s +example\.com$/m)
  expect(section('Host/Domain Summary: Message Delivery')).toMatch(/ 1 +1000 +0 +0\.4 s +0\.4 s +example\.net$/m)
  expect(section('Host/Domain Summary: Messages Received')).toMatch(/ 4 +1800 +example\.org$/m)
  expect(section('message deferral detail')).toMatch(/connection refused/)
  expect(section('message bounce detail (by relay)')).toMatch(
    /hop\.example\.com\[198\.51\.100\.1\]:25 \(total: 1\)\n.*said: 550 5\.1\.1 No such user/,
  )
  const rejects = section('message reject detail')
  for (const reason of ['User unknown', 'Relay access denied', 'blocked using zen.example', 'Greylisted']) {
    expect(rejects).toContain(`${reason} (total: 1)`)
  }
  expect(section('message hold detail')).toContain('quarantine: Eicar (ClamAV)')
  expect(section('Warnings')).toContain('child-died -- child=clamd')
  expect(section('Master daemon messages')).toContain('ready -- smtp=')
})

test('fail2ban sees offenders with its own filter, and nobody else', async () => {
  const log = await logOf(DAY)
  const normal = await offences(log, 'normal')
  expect(normal).toHaveLength(5)
  const aggressive = await offences(log, 'aggressive')
  expect(aggressive.length).toBeGreaterThan(normal.length)
  expect(await offences(log, 'auth')).toHaveLength(1)
  expect(await offences(log, 'rbl')).toHaveLength(1)
  expect(await offences(log, 'errors')).toHaveLength(1)
  for (const row of [...normal, ...aggressive]) expect(row).toContain("'192.0.2.66'")
})

test('levels count here too', async () => {
  expect(await logOf(DAY, 'warn')).toMatch(/^.* warning: child-died -- child=clamd\n.* warning: unknown\[192.*\n$/)
  expect(await logOf(DAY, 'silent')).toBe('')
})

test('a real gateway writes a log that pflogsumm sums up', async () => {
  const replies: Record<string, string> = {
    'no@example.com': '550 5.1.1 No such user',
    'later@example.com': '451 Later',
  }
  const nextHop = await startNextHop({ rcpt: said => replies[/<(.*)>/.exec(said)?.[1] ?? ''] ?? '250 2.1.5 Ok' })
  onTestFinished(() => nextHop.close())
  const routes = [{ domains: ['*'], to: nextHop.url }]
  const config = await writeConfig(directory, { routes, log: { level: 'debug', format: 'postfix' } })
  const gateway = await startGateway(config)
  onTestFinished(() => gateway.stop())

  const { queueId } = await send(gateway.port, {
    to: ['bob@example.com', 'no@example.com', 'later@example.com'],
    content: mail(),
  })
  await gateway.line(new RegExp(`${queueId}: to=<later@example.com>, .*status=deferred`))
  const told = await gateway.line(new RegExp(`${queueId}: sender non-delivery notification: `))
  await gateway.line(new RegExp(`${told.slice(-20)}: to=<alice@sender.example>, .*status=sent`))
  expect(await send(gateway.port, { to: 'x@elsewhere.example', content: mail() })).toMatchObject({ code: 550 })
  const polite = dial(gateway.port)
  await polite.reply()
  await polite.say('QUIT')
  await gateway.line(/disconnect from .* quit=1/)
  await gateway.stop()

  const { report, count } = await summaryOf(gateway.log())
  expect(count('received')).toBe(1)
  // The message, and the report on it.
  expect(count('delivered')).toBe(2)
  expect(report).toMatch(/^ +1 +deferred +\(1 +deferrals\)$/m)
  expect(count('bounced')).toBe(1)
  expect(count('rejected')).toBe(1)
  expect(report).toMatch(/Relay access denied \(total: 1\)/)
  expect(await offences(gateway.log(), 'normal')).toEqual([expect.stringContaining("'127.0.0.1'")])
  expect(report).toContain(`127.0.0.1[127.0.0.1]:${nextHop.port} (total: 1)`)
})

/** The program itself, whose log is no JSON here. */
async function startGateway(configFile: string) {
  const child = spawn(process.execPath, [ENTRY, 'serve', '--config', configFile], { stdio: ['ignore', 'pipe', 'pipe'] })
  const written: string[] = []
  const waiting = new Set<() => void>()
  const look = () => {
    for (const see of waiting) see()
  }
  let errors = ''
  let over = false
  child.stderr.on('data', text => (errors += text))
  const ended = new Promise<void>(resolve => {
    child.on('close', () => {
      over = true
      look()
      resolve()
    })
  })
  createInterface({ input: child.stdout }).on('line', text => {
    written.push(text)
    look()
  })
  /** The first line that matches, past or future. */
  const line = (wanted: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const see = () => {
        const found = written.find(one => wanted.test(one))
        if (found === undefined && !over) return
        waiting.delete(see)
        if (found === undefined) reject(new Error(`no line like ${wanted}\n${written.join('\n')}\n${errors}`))
        else resolve(found)
      }
      waiting.add(see)
      see()
    })
  const stop = async () => {
    if (!over) child.kill('SIGTERM')
    await ended
  }
  const port = Number(/"port":(\d+)/.exec(await line(/postfix\/master\[\d+\]: ready/))?.[1])
  return { port, line, stop, log: () => `${written.join('\n')}\n` }
}
