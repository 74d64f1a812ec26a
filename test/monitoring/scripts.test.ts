// The scripts by themselves: clean shell, help that names every option, a test of the monitoring that finds a fault, and
// a set-up that refuses mistakes with their place and leaves things as they were.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = new URL('../..', import.meta.url).pathname
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'elemta-scripts-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function run(program: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Promise<{ code: number; stdout: string; stderr: string }>(resolve =>
    execFile(program, args, { cwd: ROOT, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    ),
  )
}
const script = (name: string, ...args: string[]) => run(`scripts/${name}.sh`, args)
const setup = (...args: string[]) => script('setup-monitoring', '--out', join(dir, 'site'), ...args)

test('shellcheck finds nothing', async () => {
  const scripts = globSync('scripts/*.sh', { cwd: ROOT })
  expect(scripts.length).toBeGreaterThan(5)
  expect((await run('shellcheck', ['-x', ...scripts])).stdout).toBe('')
}, 60_000)

test.each([
  ['setup-monitoring', '--slack-url-file'],
  ['setup-security-monitoring', '--for <kind>'],
  ['start-monitoring', '--prometheus-port'],
  ['verify-monitoring-stack', '--allow-quiet'],
  ['test-monitoring', '--site'],
])('%s explains itself', async (name, option) => {
  const { code, stdout } = await script(name, '--help')
  expect(code).toBe(0)
  expect(stdout).toMatch(new RegExp(`^Usage: scripts/${name}.sh`))
  expect(stdout).toContain(option)
})

test('a set-up writes e-mail with its password, and what containers need, for their owner alone', async () => {
  const file = join(dir, 'password')
  writeFileSync(file, 's3cret\n')
  const email = ['--email-to', 'ops@example.com', '--smarthost', 'smtp.example.net:587', '--smtp-user', 'alerts']
  const { code, stdout } = await setup('--for', 'containers', ...email, '--smtp-password-file', file)
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('checked   amtool') })
  const site = join(dir, 'site')
  const secrets = globSync('secrets/*', { cwd: site }).sort()
  expect(secrets.map(name => name.replace('secrets/', ''))).toEqual([
    'grafana_admin_password',
    'rspamd_controller_password',
    'slack_webhook_url',
    'smtp_password',
  ])
  for (const name of secrets) expect(statSync(join(site, name)).mode & 0o777, name).toBe(0o600)
  // Containers have other users: they are given folders of the site, to which only its owner gets otherwise.
  expect(statSync(site).mode & 0o777).toBe(0o700)
  for (const name of ['prometheus/targets/rspamd.yml', 'alertmanager/alertmanager.yml', 'alertmanager/smtp_password']) {
    expect(statSync(join(site, name)).mode & 0o777, name).toBe(0o644)
  }
  expect(readFileSync(join(site, 'secrets/smtp_password'), 'utf8')).toBe('s3cret')
  const alertmanager = readFileSync(join(site, 'alertmanager/alertmanager.yml'), 'utf8')
  expect(alertmanager).toContain('smtp_auth_username: alerts')
  expect(alertmanager).toContain('smtp_auth_password_file: /etc/alertmanager/smtp_password')
  // Slack hears of it by SNS, as on AWS.
  expect(alertmanager).toContain('topic_arn: arn:aws:sns:eu-central-1:000000000000:elemta-local-monitoring-critical')
  expect(alertmanager).not.toContain('slack_')
  const password = readFileSync(join(site, 'secrets/rspamd_controller_password'), 'utf8')
  expect(readFileSync(join(site, 'prometheus/targets/rspamd.yml'), 'utf8')).toContain(password)
})

test('a mistake in the settings is told with its place, and nothing is written', async () => {
  await setup()
  const rules = join(dir, 'site/prometheus/rules/elemta-alerts.yml')
  const before = readFileSync(rules, 'utf8')
  writeFileSync(join(dir, 'site/thresholds.yaml'), 'thresholds: { queue_sise: 5 }\n')
  const { code, stderr } = await setup()
  expect(code).toBe(78)
  expect(stderr).toMatch(/thresholds\.yaml:1:15.*queue_sise.*queue_size/s)
  expect(readFileSync(rules, 'utf8')).toBe(before)
  writeFileSync(join(dir, 'site/thresholds.yaml'), 'thresholds: { queue_size: 5 }\n')
  expect((await setup()).code).toBe(0)
  expect(readFileSync(rules, 'utf8')).toMatch(/elemta:queue_size:sum > 5\b/)
})

test('the gateway itself is refused as the way of its alerts', async () => {
  writeFileSync(
    join(dir, 'site/routing.yaml'),
    'email: { from: a@b.example, to: [a@b.example], smarthost: "127.0.0.1:2525" }\n',
  )
  const { code, stderr } = await setup()
  expect(code).toBe(78)
  expect(stderr).toMatch(/smarthost.*is the gateway that the alerts are about/)
})

test('test-monitoring finds nothing wrong with what is shipped, and names what is wrong with a site', async () => {
  const site = join(dir, 'broken')
  cpSync(join(ROOT, 'monitoring'), site, { recursive: true })
  const test = () =>
    run('scripts/test-monitoring.sh', ['--quick', '--site', site], { ALERTMANAGER_URL: 'http://127.0.0.1:1' })
  const { code, stdout } = await test()
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('no test alert was sent') })
  writeFileSync(
    join(site, 'prometheus/rules/own.yml'),
    'groups: [{ name: own, rules: [{ record: a, expr: "sum(" }] }]\n',
  )
  const alertmanager = join(site, 'alertmanager/alertmanager.yml')
  writeFileSync(alertmanager, readFileSync(alertmanager, 'utf8').replace('severity="critical"', 'severity="fatal"'))
  const found = await test()
  expect(found.code).toBe(1)
  expect(found.stdout).toMatch(/FAILED {2}promtool .*\n[\s\S]*own\.yml[\s\S]*parse error/)
  expect(found.stdout).toMatch(/alertname=ElemtaDown severity=critical goes to warning\S*, not to critical/)
  expect(existsSync(join(site, 'prometheus/rules/own.yml'))).toBe(true)
}, 60_000)
