// The monitoring as a site meets it, from the scripts: a gateway with real scanners, Prometheus and Alertmanager started
// beside it, a load, and a verification that finds everything in order. Then faults, each told in words.
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { type Clamd, startClamd } from '../../local/embedded/clamd.ts'
import { makeHome } from '../../local/embedded/home.ts'
import { freePort } from '../../local/embedded/port.ts'
import { accountFor } from '../../local/embedded/program.ts'
import type { Verification } from '../../monitoring/verify/verify.ts'
import { silentLog } from '../../src/platform/log.ts'
import { type Gateway, startGateway, temporaryDirectory } from '../pipeline/gateway.ts'
import { writeHistory } from './history.ts'
import { type Script, startScript } from './script.ts'

const SCALE = 0.02
const SCRIPTS = new URL('../../scripts/', import.meta.url).pathname
const ROUTING = (
  site: string,
) => `email: { from: a@example.com, to: [ops@example.com], smarthost: "127.0.0.1:1", tls: false }
slack: { webhook_url_file: ${site}/secrets/slack_webhook_url }
grouping: { wait: 0s, interval: 1s }
`

let gateway: Gateway
let clamd: Clamd
let monitoring: Script
let ports: { prometheus: number; alertmanager: number; notifications: number }
let site: string

beforeAll(async () => {
  const directory = await temporaryDirectory()
  chmodSync(directory, 0o755) // the daemons' own accounts must get through
  writeFileSync(join(directory, 'users'), '')
  site = join(directory, 'data', 'monitoring')
  clamd = await startClamd({ dir: join(directory, 'own'), log: silentLog, streamMaxBytes: 26 * 1024 * 1024 })
  gateway = await startGateway({ directory, config: configuration(directory) })
  ports = { prometheus: await freePort(), alertmanager: await freePort(), notifications: await freePort() }
  mkdirSync(site, { recursive: true })
  writeFileSync(join(site, 'thresholds.yaml'), `timing: { scale: ${SCALE}, evaluation_interval: 1s }\n`)
  writeFileSync(join(site, 'routing.yaml'), ROUTING(site))
  const home = makeHome(join(directory, 'data', 'daemons'), 'prometheus', accountFor('prometheus'))
  writeHistory(join(home, 'data'), SCALE)
  const flags = Object.entries(ports).flatMap(([name, port]) => [`--${name}-port`, String(port)])
  monitoring = startScript(join(SCRIPTS, 'start-monitoring.sh'), ['--config', gateway.configFile, ...flags])
  await monitoring.said('Ctrl-C stops both')
})

afterAll(async () => {
  await monitoring?.stop()
  await clamd?.stop()
  await gateway?.[Symbol.asyncDispose]()
})

const configuration = (directory: string) => {
  const { host, port, controllerPort } = inject('rspamd')
  return {
    listeners: ['mx', 'submission'].map(mode => ({ address: '127.0.0.1', port: 0, mode })),
    auth: { users_file: join(directory, 'users'), attempts: { per_address: 100_000, per_user: 100_000 } },
    canary: { interval: '2s', deadline: '2s' },
    plugins: [
      { name: 'recipients', config: { addresses: ['load@example.com'] } },
      { name: 'greylist', config: { delay: '1s', retry_window: '3s', lifetime: '5s', auto_allow: 0 } },
      { name: 'clamav', config: { managed: false, host: clamd.host, port: clamd.port } },
      { name: 'rspamd', config: { managed: false, host, port, controller_port: controllerPort } },
    ],
  }
}

function run(script: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(resolve =>
    execFile(join(SCRIPTS, script), args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  )
}

/** Goes on until it is stopped: the windows of the shortened rules are seconds. */
function startLoad(): Script {
  const steady = ['--rate', '10/s', '--duration', '10m', '--slow', '500ms', '--retry-after', '1200ms']
  return startScript(join(SCRIPTS, 'generate-test-load.sh'), steady, {
    ELEMTA_SMTP: `127.0.0.1:${gateway.ports[0]}`,
    ELEMTA_SUBMISSION: `127.0.0.1:${gateway.ports[1]}`,
    ELEMTA_METRICS: 'none',
  })
}

const verifyArgs = () => [
  ...['--config', gateway.configFile],
  ...[
    '--prometheus',
    `http://127.0.0.1:${ports.prometheus}`,
    '--alertmanager',
    `http://127.0.0.1:${ports.alertmanager}`,
  ],
]

async function verify(...more: string[]): Promise<Verification & { problems: string[] }> {
  const { code, stdout, stderr } = await run('verify-monitoring-stack.sh', [...verifyArgs(), '--json', ...more])
  expect(stderr).toBe('')
  const found = JSON.parse(stdout) as Verification
  expect(code).toBe(found.ok ? 0 : 1)
  return { ...found, problems: found.checks.flatMap(({ name, problems }) => problems.map(text => `${name}: ${text}`)) }
}

test('secrets are their owner’s alone, and a second set-up keeps what is the site’s', { timeout: 60_000 }, async () => {
  const secret = join(site, 'secrets', 'slack_webhook_url')
  expect(statSync(secret).mode & 0o777).toBe(0o600)
  writeFileSync(secret, `http://127.0.0.1:${ports.notifications}/kept`)
  const { code, stdout } = await run('setup-monitoring.sh', ['--config', gateway.configFile])
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('routing.yaml (kept)') })
  expect(readFileSync(secret, 'utf8')).toContain('/kept')
  await monitoring.said('alertmanager has read its changed files')
})

test('under a load everything is verified, in words and in figures, and people are told', {
  timeout: 100_000,
}, async () => {
  const load = startLoad()
  onTestFinished(() => load.stop())
  const held = async () => (await gateway.elemta('quarantine', 'list', '--json')).stdout.split('\n')[0]!
  await expect.poll(held, { timeout: 20_000 }).not.toBe('')
  let found: Awaited<ReturnType<typeof verify>> | undefined
  const problems = async () => {
    // Each time anew: a shortened day is over before a busy machine has shown everything else.
    const { queueId } = JSON.parse(await held()) as { queueId: string }
    expect((await gateway.elemta('quarantine', 'release', queueId)).stderr).toBe('')
    found = await verify()
    return found.problems
  }
  await expect.poll(problems, { timeout: 70_000, interval: 500 }).toEqual([])
  const { ok, figures, checks } = found!
  console.log(figures)
  expect(ok).toBe(true)
  expect(figures).toMatch(/^alerts (\d+)\/\1 loaded, metrics (\d+)\/\2 live, panels (\d+)\/\3 with data$/)
  const notification = checks.find(({ name }) => name === 'notification')!
  expect(notification.summary).toMatch(/^delivered by slack after [\d.]+ s \(receiver warning\)$/)
  const [, alertname] = /called (\w+)/.exec(notification.notes![0]!)!
  await monitoring.said(`[WARNING] ${alertname}`)
})

describe('a fault is told in words', { timeout: 60_000 }, () => {
  const problems = (...more: string[]) =>
    verify('--allow-quiet', '--notify', 'none', ...more).then(found => found.problems)

  test('a smarthost that is not there', async () => {
    const found = await verify('--allow-quiet', '--notify', 'critical')
    expect(found.problems).toEqual([
      expect.stringMatching(/^notification: email: \d+ failed attempts; Alertmanager’s log/),
    ])
  })

  test('a Grafana that was named and is not there', async () => {
    expect(await problems('--grafana', `http://127.0.0.1:${await freePort()}`)).toEqual([
      expect.stringMatching(/^grafana: nobody answers .*start it, or leave out --grafana/),
    ])
  })

  test('a rule file that Prometheus refuses', async () => {
    const file = join(site, 'prometheus', 'rules', 'own.yml')
    writeFileSync(file, 'groups: [{ name: own, rules: [{ record: broken, expr: "sum(" }] }]\n')
    await monitoring.said('prometheus refused its files')
    const found = await problems()
    expect(found.join('\n')).toMatch(/rules: Prometheus refused its files at the last reload .*promtool check config/)
    expect(found.join('\n')).toMatch(/1 rule of .* \(own\.yml\) not loaded: broken/)
    await run('setup-monitoring.sh', ['--config', gateway.configFile])
    expect(readFileSync(file, 'utf8'), 'a site’s own rules are kept').toContain('broken')
    writeFileSync(file, 'groups: []\n')
    await monitoring.said('prometheus has read its changed files')
    expect(await problems()).toEqual([])
  })

  test('a metric that a rule asks for and nobody has', async () => {
    const file = join(site, 'prometheus', 'rules', 'own.yml')
    writeFileSync(file, 'groups: [{ name: own, rules: [{ alert: Odd, expr: elemta_no_such_total > 1 }] }]\n')
    await expect
      .poll(problems, { timeout: 40_000 })
      .toEqual(['metrics: elemta_no_such_total is in no scrape; asked for by Odd'])
    writeFileSync(file, 'groups: []\n')
  })

  test('clamd stopped', async () => {
    await clamd.stop()
    await expect
      .poll(async () => (await problems()).join('\n'), { timeout: 40_000 })
      .toMatch(/scanners: clamav does not answer the gateway[\s\S]*clamd does not answer the exporter/)
    const security = await run('setup-security-monitoring.sh', ['--config', gateway.configFile])
    expect(security.code).toBe(1)
    expect(security.stdout).toMatch(/FAILED {2}clamav .*\n +the exporter answers, but clamd does not/)
    expect(security.stdout).toMatch(/^ok +rspamd .*Rspamd’s metrics at http/m)
  })

  test('a gateway that is down', async () => {
    await gateway.stop()
    await expect
      .poll(async () => (await problems()).join('\n'), { timeout: 40_000 })
      .toMatch(/targets: elemta at http\S+ is down: .*connection refused; start the gateway/)
  })

  test('Prometheus down', async () => {
    await monitoring.stop()
    const found = await problems()
    expect(found[0]).toMatch(/^targets: nobody answers at http.*: start it: scripts\/start-monitoring\.sh/)
  })
})
