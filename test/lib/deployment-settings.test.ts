// What is wrong with the settings of a deployment is told by the path of its key, and all of it at once.
import { expect, test } from 'vitest'
import { checkGatewayConfig } from '../../bin/cdk-check-config.ts'
import { type DeploymentInput, deploymentSettings, SettingsError } from '../../lib/deployment-settings.ts'
import { STAGES } from './synth.ts'

const LEAST = {
  stage: 'test',
  region: 'eu-central-1',
  hostname: 'mx.example.com',
  domains: ['example.com'],
  routes: [{ domains: ['*'], to: 'smtp://mail.example.com:587' }],
} satisfies DeploymentInput

function problemsOf(input: unknown): string[] {
  try {
    checkGatewayConfig(deploymentSettings(input))
    return []
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return error.message.split('\n')
  }
}

test('the least that must be said is enough, and everything else has a default', () => {
  expect(problemsOf(LEAST)).toEqual([])
  expect(deploymentSettings(LEAST)).toMatchObject({
    network: { cidr: '10.40.0.0/16', zones: ['a', 'b'], egress: 'nat', natGateways: 1 },
    ingress: { cpu: 512, memory: 1024, min: 2, max: 10 },
    delivery: { runsOn: 'scanners' },
    data: { retain: true },
    cache: 'valkey',
    grafana: { enabled: false },
  })
})

test.each(Object.entries(STAGES))('deployments/%s.ts is what it should be', (stage, input) => {
  expect(problemsOf(input)).toEqual([])
  expect(input.stage).toBe(stage)
})

const BAD: readonly (readonly [what: string, change: Record<string, unknown>, told: readonly string[]])[] = [
  ['a typing error', { hostnam: 'x' }, ['hostnam: there is no such setting']],
  ['one further in', { network: { zone: ['a'] } }, ['network.zone: there is no such setting']],
  ['nothing where something must be', { hostname: undefined }, ['hostname: is missing: expected string']],
  ['no domain', { domains: [] }, ['domains: expected at least one']],
  ['what is no domain', { domains: ['example.com', 'x'] }, ['domains[1]: expected a domain such as example.com']],
  ['one zone', { network: { zones: ['a'] } }, ['network.zones: expected at least two']],
  ['a zone twice', { network: { zones: ['a', 'a'] } }, ['network.zones: names a zone twice']],
  ['a region of nowhere', { region: 'Frankfurt' }, ['region: expected a region such as eu-central-1']],
  ['an account', { account: '12' }, ['account: expected the 12 digits of an AWS account']],
  ['a stage', { stage: 'Prod!' }, ['stage: expected lower case, such as dev or prod: it is part of the stacks’ names']],
  [
    'a task that Fargate has not',
    { ingress: { cpu: 256, memory: 8192 } },
    ['ingress.memory: Fargate has no task of this cpu with this memory'],
  ],
  ['a cpu that Fargate has not', { ingress: { cpu: 300 } }, [expect.stringMatching(/^ingress\.cpu: .*256\|512/)]],
  ['no task', { scan: { tasks: { min: 0 } } }, ['scan.tasks.min: at least 1: scaling divides by the number of tasks']],
  ['more than at most', { ingress: { min: 5, max: 2 } }, ['ingress.max: is less than min']],
  [
    'more NAT gateways than zones',
    { network: { natGateways: 3 } },
    ['network.natGateways: there are 2 zones: at most one for each'],
  ],
  [
    'a maildir, which goes with its task',
    { routes: [{ domains: ['*'], to: 'maildir:./mail' }] },
    ['routes[0].to: expected smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:'],
  ],
  [
    'mx: without the internet',
    { network: { egress: 'endpoints' }, routes: [{ domains: ['*'], to: 'mx:' }] },
    ['routes[0].to: mx: needs the internet, but network.egress is endpoints'],
  ],
  [
    'a domain without a route',
    { routes: [{ domains: ['example.net'], to: 'mx:' }] },
    ['domains[0]: no route leads to example.com: its mail could not be delivered'],
  ],
  [
    'a password in clear text',
    { routes: [{ domains: ['*'], to: 'smtp://mail.example.com:25', auth: true }] },
    ['routes[0].auth: a password goes over TLS only: set tls to encrypt or verify'],
  ],
  [
    'submission that programs refuse',
    { submission: { enabled: true } },
    ['tls: users’ programs refuse a self-signed certificate: submission needs secret'],
  ],
  [
    'LDAP that nobody describes',
    { submission: { enabled: true, users: 'ldap' }, tls: 'secret' },
    ['submission.users: ldap needs gateway.auth.ldap'],
  ],
  ['Slack alone', { alerts: { slack: true } }, ['alerts.critical: name someone for when Slack is down']],
  ['who is no address', { alerts: { warning: ['ops'] } }, ['alerts.warning[0]: expected an e-mail address']],
  [
    'a key that the deployment sets',
    { gateway: { listeners: [] } },
    ['gateway.listeners: set submission of the deployment'],
  ],
  [
    'scanners that are waited for',
    { gateway: { scan: { wait: '20s' } } },
    ['gateway.scan.wait: scanners run in tasks of their own here: mail is accepted, then scanned'],
  ],
  [
    'a key that elemta.yaml has not',
    { gateway: { limit: {} } },
    ['gateway.limit: unknown key; did you mean "limits"?'],
  ],
  [
    'a value that elemta.yaml has not',
    { gateway: { limits: { message_size: 'big' } } },
    [expect.stringMatching(/^gateway\.limits\.message_size: /)],
  ],
  [
    'several at once',
    { hostname: 'x', logDays: 2 },
    ['hostname: expected a domain such as example.com', expect.stringMatching(/^logDays: /)],
  ],
]

test.each(BAD)('%s is refused with its path', (_, change, told) => {
  expect(problemsOf({ ...LEAST, ...change })).toEqual(told)
})
