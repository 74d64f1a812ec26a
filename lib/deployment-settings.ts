// What a deployment may be told, one file per stage in deployments/. Every key with its default and what it is for.
// `deploymentSettings(input)` returns all of them filled in, or throws one SettingsError with a line per problem, each
// naming the path of its key: `cdk synth` then stops before anything is made. Rules that concern several keys are in
// deployment-rules.ts; what the mail system itself is told is written by gateway-config.ts.
import { z } from 'zod'
import { settingsSchema } from '../monitoring/thresholds.ts'
import { contradictions } from './deployment-rules.ts'

/** What Fargate offers: vCPU units to MiB, from–to in steps. */
const FARGATE_MEMORY: Readonly<Record<number, readonly [least: number, most: number, step: number]>> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16384, 1024],
  4096: [8192, 30720, 1024],
  8192: [16384, 61440, 4096],
}

const domain = z.string().regex(/^(?=.{1,253}$)([a-z0-9_]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/i, {
  error: 'expected a domain such as example.com',
})
const tableName = z.string().regex(/^[\w.-]{3,255}$/, 'expected the name of a DynamoDB table')
const email = z.email('expected an e-mail address')

function service(cpu: number, memory: number, min: number, max: number) {
  return z
    .strictObject({
      cpu: z
        .literal([256, 512, 1024, 2048, 4096, 8192])
        .default(cpu as 256)
        .describe('CPU units of a task: 1024 are one vCPU'),
      memory: z.int().default(memory).describe('MiB of a task; Fargate offers certain pairs with cpu only'),
      min: z
        .int()
        .min(1, 'at least 1: scaling divides by the number of tasks')
        .default(min)
        .describe('Tasks, at least'),
      max: z.int().min(1).max(1000).default(max).describe('Tasks, at most'),
    })
    .refine(
      ({ cpu, memory }) => {
        const [least, most, step] = FARGATE_MEMORY[cpu] ?? [0, 0, 1]
        return (memory >= least && memory <= most && memory % step === 0) || (cpu === 256 && memory === 512)
      },
      { path: ['memory'], error: 'Fargate has no task of this cpu with this memory' },
    )
    .refine(({ min, max }) => min <= max, { path: ['max'], error: 'is less than min' })
}

const route = z.strictObject({
  domains: z.array(z.string().min(1)).min(1).describe('example.com, *.example.com or *; the most specific one wins'),
  to: z
    .string()
    .regex(/^(mx:$|(smtps?|lmtp):\/\/.+)/, 'expected smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:')
    .describe('Where mail goes; a maildir would be lost with its task'),
  tls: z.enum(['none', 'may', 'encrypt', 'verify']).default('may').describe('As routes[].tls of elemta.yaml'),
  auth: z.boolean().default(false).describe('Log in with user and password of the secret NextHopCredentials'),
})

const settings = z.strictObject({
  stage: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,15}$/, 'expected lower case, such as dev or prod: it is part of the stacks’ names')
    .describe('The name of the file, too'),
  account: z
    .string()
    .regex(/^\d{12}$/, 'expected the 12 digits of an AWS account')
    .optional()
    .describe('Default: whichever the credentials belong to'),
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-central-1'),

  hostname: domain.describe('Our name in greetings; its A records are the addresses that the network stack outputs'),
  domains: z.array(domain).min(1, 'expected at least one').describe('Domains that we accept mail for, from anyone'),
  routes: z.array(route).min(1, 'expected at least one').describe('Where mail goes, by the domain of its recipient'),
  gateway: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Further keys of elemta.yaml (limits, plugins, delivery …); what the deployment sets itself is refused'),

  network: z
    .strictObject({
      cidr: z
        .string()
        .regex(/^(\d{1,3}\.){3}0\/(1[6-9]|2[0-2])$/, 'expected a network such as 10.40.0.0/16, from /16 to /22')
        .default('10.40.0.0/16'),
      zones: z
        .array(z.string().regex(/^[a-f]$/, 'expected the letter of an availability zone'))
        .min(2, 'expected at least two')
        .default(['a', 'b'])
        .describe('Availability zones; each has one address of the load balancer'),
      egress: z
        .enum(['nat', 'endpoints'])
        .default('nat')
        .describe('nat: tasks reach the internet. endpoints: AWS alone, by interface endpoints (≈ $7 each and zone)'),
      natGateways: z.int().min(1).max(6).default(1).describe('≈ $33 a month each; one for each zone survives a zone'),
      flowLogs: z.boolean().default(false).describe('Accepted and refused connections to CloudWatch Logs'),
    })
    .prefault({}),

  submission: z
    .strictObject({
      enabled: z.boolean().default(false).describe('Ports 587 and 465 for users who log in'),
      users: z
        .enum(['secret', 'ldap'])
        .default('secret')
        .describe('secret: the users file is the secret Users. ldap: as gateway.auth.ldap says'),
    })
    .prefault({}),
  tls: z
    .enum(['self-signed', 'secret'])
    .default('self-signed')
    .describe('secret: certificate and key are the secret TlsCertificate; submission should have one'),

  ingress: service(512, 1024, 2, 10).prefault({}).describe('SMTP servers behind the load balancer'),
  scan: z
    .strictObject({
      tasks: service(2048, 8192, 1, 10).prefault({}).describe('clamd alone takes 4 GB while it loads signatures'),
      spot: z.boolean().default(true).describe('All but the first task on Spot: an interrupted scan is done again'),
      backlogPerTask: z.int().min(1).default(100).describe('Scan jobs waiting per task from which tasks are added'),
      dqs: z.boolean().default(false).describe('Spamhaus Data Query Service with the key in the secret SpamhausDqsKey'),
    })
    .prefault({}),
  delivery: z
    .strictObject({
      runsOn: z
        .enum(['fargate', 'lambda', 'scanners'])
        .default('scanners')
        .describe(
          'scanners: who scans delivers, cheapest for each message; fargate: tasks of their own; lambda: functions',
        ),
      tasks: service(256, 512, 1, 10).prefault({}).describe('With fargate'),
      backlogPerTask: z
        .int()
        .min(1)
        .default(200)
        .describe('With fargate: jobs waiting per task from which tasks are added'),
      concurrency: z
        .int()
        .min(2)
        .max(1000)
        .default(20)
        .describe(
          'With lambda: functions that deliver at the same time; fewer than the account’s quota, which begins at 10',
        ),
    })
    .prefault({}),
  cache: z
    .enum(['valkey', 'none'])
    .default('valkey')
    .describe('Where rspamd keeps what it has learned (≈ $9 a month); none: no Bayes, no fuzzy hashes'),
  signatures: z
    .strictObject({
      everyHours: z.int().min(1).max(24).default(4).describe('Between two runs of the one freshclam that asks ClamAV'),
    })
    .prefault({}),

  data: z
    .strictObject({
      retain: z.boolean().default(true).describe('false: destroying the stacks destroys mail, records and queues'),
      encryption: z
        .enum(['aws', 'own-key'])
        .default('aws')
        .describe('own-key: a KMS key of this deployment for stored mail ($1 a month and its requests)'),
      pointInTimeRecovery: z.boolean().default(true).describe('Records of the last 35 days can be brought back'),
      restored: z
        .strictObject({ records: tableName.optional(), policy: tableName.optional() })
        .prefault({})
        .describe('Names of tables that were restored, to work with in place of the stage’s own'),
      accessLogDays: z.int().min(1).default(90).describe('How long S3 access logs are kept'),
    })
    .prefault({}),

  alerts: z
    .strictObject({
      critical: z.array(email).default([]).describe('Who gets e-mail about what needs someone now'),
      warning: z.array(email).default([]).describe('… and about the rest'),
      slack: z.boolean().default(false).describe('To the webhook in the secret SlackWebhook'),
      runbooks: z
        .url({ protocol: /^https?$/, error: 'expected an address such as https://example.com/runbooks' })
        .optional()
        .describe('Where monitoring/runbooks can be read: alerts link <this>/<AlertName>.md'),
      thresholds: settingsSchema.shape.thresholds.describe('As thresholds of monitoring/thresholds.example.yaml'),
    })
    .prefault({}),
  grafana: z
    .strictObject({
      enabled: z.boolean().default(false).describe('An Amazon Managed Grafana workspace (≈ $9 per editor and month)'),
      authentication: z.enum(['AWS_SSO', 'SAML']).default('AWS_SSO').describe('AWS_SSO needs IAM Identity Center'),
      version: z
        .string()
        .regex(/^\d+\.\d+$/, 'expected a version such as 12.4')
        .optional()
        .describe('Default: the newest'),
    })
    .prefault({}),
  logDays: z.literal([1, 3, 5, 7, 14, 30, 60, 90, 180, 365]).default(30).describe('How long CloudWatch keeps logs'),
  tags: z.record(z.string(), z.string()).default({}).describe('On every resource, beside elemta:stage'),
})

/** What a file in deployments/ holds. */
export type DeploymentInput = z.input<typeof settings>
/** The same with every default filled in. */
export type DeploymentSettings = z.output<typeof settings>
export type ServiceSettings = DeploymentSettings['ingress']

/** All that is wrong with a deployment's settings, a line each: `network.zones[0]: expected …`. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly problems: readonly Readonly<{ key: string; message: string }>[]
  constructor(problems: SettingsError['problems']) {
    super(problems.map(({ key, message }) => `${key}: ${message}`).join('\n'))
    this.problems = problems
  }
}

/** Checks and completes settings; throws SettingsError. */
export function deploymentSettings(input: unknown): DeploymentSettings {
  const { data, error } = settings.safeParse(input)
  if (data === undefined) throw new SettingsError(error.issues.flatMap(problemsOf))
  const broken = contradictions(data)
  if (broken.length > 0) throw new SettingsError(broken)
  return data
}

function problemsOf(issue: z.core.$ZodIssue): SettingsError['problems'] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ key: pathText([...issue.path, key]), message: 'there is no such setting' }))
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined && /undefined/.test(issue.message)
  return [{ key: pathText(issue.path), message: missing ? `is missing: expected ${issue.expected}` : issue.message }]
}

/** `routes[0].to` */
function pathText(path: readonly PropertyKey[]): string {
  const text = path.map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return text.replace(/^\./, '')
}
