// The configuration: every key of config/elemta.yaml with its type, its default and what it is for.
// `Config` is what the rest of the program sees: sizes in octets, durations in milliseconds, nothing left to parse.
// Rules that concern several keys are in config-rules.ts; reading the file is config-load.ts.
import { availableParallelism, hostname as systemHostname } from 'node:os'
import * as z from 'zod'
import {
  domain,
  duration,
  hostname,
  isDomain,
  listenAddress,
  network,
  port,
  retrySchedule,
  secret,
  size,
} from './config-fields.ts'
import { builtinPlugin, plugin } from './config-plugins.ts'
import { delivery, route } from './config-routes.ts'
import { storage } from './config-storage.ts'

export const SCANS_PER_CORE = 4

const listener = z.strictObject({
  address: listenAddress().prefault('127.0.0.1').describe('Where to listen: 0.0.0.0 is every IPv4 address'),
  port: port().describe('25 in production; 2525 needs no privileges; 0 takes any free one'),
  mode: z
    .enum(['mx', 'submission', 'submissions'])
    .prefault('mx')
    .describe('mx: mail for our domains from anyone. submission: AUTH over STARTTLS. submissions: TLS from the start'),
})

export const configSchema = z.strictObject({
  hostname: hostname()
    .prefault(() => defaultHostname(systemHostname()))
    .meta({ perMachine: true })
    .describe('Our name in greetings and headers; by default the name of the machine'),
  data_dir: z.string().min(1).prefault('./data').describe('Spool, records and quarantine'),
  storage: storage.prefault({}).describe('Where accepted mail is kept'),
  listeners: z
    .array(listener)
    .min(1)
    .prefault([{ address: '127.0.0.1', port: 2525, mode: 'mx' }])
    .describe('Where SMTP clients connect'),
  ops: z
    .strictObject({
      address: listenAddress().prefault('127.0.0.1').describe('Keep it private: it asks for no password'),
      port: port().prefault(8080),
    })
    .prefault({})
    .describe("The operator's port: /metrics, /healthz, /readyz"),
  relay: z
    .strictObject({
      domains: z.array(domain()).prefault([]).describe('Domains that we accept mail for, from anyone'),
      networks: z.array(network()).prefault([]).describe('Clients that may send to any domain'),
    })
    .prefault({})
    .describe('Who may send to whom'),
  limits: z
    .strictObject({
      message_size: size().prefault('25MB').describe('Larger messages are refused: 552 5.3.4'),
      recipients: z.int().min(1).prefault(100).describe('Per message; RFC 5321 asks for at least 100'),
      connections: z.int().min(1).prefault(1000).describe('At the same time; more are told 421'),
      connections_per_client: z.int().min(1).prefault(50).describe('At the same time from one IP address'),
      errors: z.int().min(1).prefault(20).describe('Refused commands in one session before it is closed'),
      soft_errors: z.int().min(0).prefault(10).describe('From then on each error is answered a second later'),
      refused_recipients: z.int().min(1).prefault(20).describe('Refused recipients in one session before it is closed'),
      data_rate: size().prefault(100).describe('Octets per second that a client must bring in DATA, on average'),
      session_timeout: duration().prefault('1h').describe('For a whole session'),
      queued_messages: z.int().min(1).prefault(200_000).describe('Waiting in all queues; beyond it: 451 4.3.2'),
      disk_reserve: size().prefault('256MB').describe('Room on the disk below which no mail is taken: 451 4.3.1'),
      allowlist: z
        .array(network())
        .prefault([])
        .describe('Clients to which the limits per client do not apply: monitoring, your own relays'),
      command_timeout: duration().prefault('5m').describe('Waiting for a command (RFC 5321 §4.5.3.2 asks for 5m)'),
      data_timeout: duration().prefault('3m').describe('Waiting for the next piece of a message (RFC 5321: 3m)'),
    })
    .prefault({})
    .describe('What one client, one message and all together may take'),
  ingress: z
    .strictObject({
      pregreet_delay: duration().prefault('0s').describe('Wait before the greeting: who talks first is no mail server'),
      bare_newline: z
        .enum(['normalize', 'reject'])
        .prefault('normalize')
        .describe('A line end without CR: made CRLF, or refused. It never ends a message in either case'),
      proxy_protocol: z
        .array(network())
        .prefault([])
        .describe(
          'Load balancers: their connections must begin with a PROXY header (v1, v2) and are the client it names',
        ),
      xclient: z
        .array(network())
        .prefault([])
        .describe('Relays of yours that may name the client by XCLIENT or XFORWARD'),
    })
    .prefault({})
    .describe('How we speak SMTP'),
  scan: z
    .strictObject({
      wait: duration()
        .refine(wait => wait <= 300_000, 'no client waits that long: at most 5m')
        .prefault('0s')
        .describe('0s: accept, then scan. 20s: scan first and refuse with 554; after that time accept, then scan'),
      concurrency: z
        .int()
        .min(1)
        .prefault(() => SCANS_PER_CORE * availableParallelism())
        .meta({ perMachine: true })
        .describe('Messages scanned at the same time; by default 4 per processor core'),
      retry_schedule: retrySchedule()
        .prefault(['10s', '30s', '1m', '5m', '15m'])
        .describe('Waits before scanning again when a scanner failed; the last one repeats, its return ends them'),
    })
    .prefault({})
    .describe('When and how much to scan'),
  quarantine: z
    .strictObject({
      keep: duration().prefault('30d').describe('What nobody has released by then is discarded; 0s: kept for ever'),
    })
    .prefault({})
    .describe('Mail that is set aside'),
  canary: z
    .strictObject({
      enabled: z.boolean().prefault(true),
      interval: duration()
        .refine(interval => interval >= 1000, 'expected at least 1s')
        .prefault('1m')
        .describe('From one message of each kind to the next'),
      deadline: duration()
        .refine(deadline => deadline > 0, 'expected more than 0s')
        .prefault('30s')
        .describe('What has not come to its end by then is missing; no longer than interval'),
    })
    .prefault({})
    .describe('Clean, EICAR and GTUBE messages to ourselves: alerts when mail or a detector fails'),
  trace: z
    .strictObject({
      keep: duration().prefault('30d').describe('After this long without anything open it is forgotten; 0s: never'),
    })
    .prefault({})
    .describe('The stories of messages that have come to their end'),
  priority: z
    .strictObject({
      enabled: z.boolean().prefault(true).describe('false: all mail is equal'),
      size: size().prefault('50KB').describe('High is mail up to this size'),
      recipients: z.int().min(1).prefault(3).describe('… and up to so many recipients'),
      authenticated_only: z.boolean().prefault(false).describe('true: … and only from authenticated users'),
    })
    .prefault({})
    .describe('What is scanned and delivered first'),
  delivery: delivery.prefault({}).describe('Attempts to hand over'),
  routes: z
    .array(route)
    .prefault([{ domains: ['*'], to: 'maildir:./data/maildir' }])
    .describe('Where mail goes, by the domain of its recipient'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).prefault('info'),
      format: z
        .enum(['json', 'postfix'])
        .prefault('json')
        .describe('postfix: lines as Postfix writes them, for pflogsumm, fail2ban and the like'),
    })
    .prefault({})
    .describe('Lines on standard output'),
  tls: z
    .strictObject({
      certificates: z
        .array(
          z.strictObject({
            cert: z.string().min(1).describe('PEM file: the certificate, then the chain'),
            key: z.string().min(1).describe('PEM file'),
          }),
        )
        .prefault([])
        .describe('By the names in them (SNI); the first one where none fits. None: a self-signed one is made'),
      min_version: z.enum(['TLSv1.2', 'TLSv1.3']).prefault('TLSv1.2'),
    })
    .prefault({})
    .describe('TLS of the listeners; files are read again when they change'),
  auth: z
    .strictObject({
      users_file: z.string().min(1).optional().describe('Made by: elemta user add NAME'),
      ldap: z
        .strictObject({
          url: z
            .string()
            .regex(/^ldaps?:\/\//, 'expected ldap://HOST or ldaps://HOST')
            .describe('ldap:// is upgraded by STARTTLS'),
          starttls: z.boolean().prefault(true).describe('false: passwords go to the server in clear text'),
          ca: z.string().min(1).optional().describe('PEM file of the authority that signed its certificate'),
          bind_dn: z.string().min(1).optional().describe('Who searches; unset: anonymous'),
          bind_password: secret().optional(),
          base: z.string().min(1).describe('Where users are: ou=people,dc=example,dc=com'),
          filter: z.string().includes('{user}').prefault('(|(uid={user})(mail={user}))'),
          addresses: z.string().min(1).prefault('mail').describe('The attribute with the addresses of a user'),
          timeout: duration().prefault('5s'),
        })
        .optional(),
      own_addresses_only: z.boolean().prefault(false).describe('true: users send only as addresses of their own'),
      attempts: z
        .strictObject({
          per_address: z.int().min(1).prefault(20).describe('Failures of one client before it must wait'),
          per_user: z.int().min(1).prefault(10).describe('Failures for one user before that user must wait'),
          wait: duration().prefault('1m').describe('The first wait; each further failure doubles it'),
          longest_wait: duration().prefault('1h'),
        })
        .prefault({}),
    })
    .prefault({})
    .describe('Who may submit mail on submission listeners'),
  dns: z
    .strictObject({
      servers: z.array(z.string().min(1)).prefault([]).describe('ADDRESS or ADDRESS:PORT; none: those of the system'),
      timeout: duration().prefault('2s').describe('For one question'),
    })
    .prefault({})
    .describe('The resolver for policies. DNSBLs refuse public ones: run your own'),
  plugins: z
    .array(plugin)
    .prefault([{ name: 'clamav' }, { name: 'rspamd' }])
    .describe('Session policies, asked in this order, and the scanners. Without a scanner mail passes unscanned'),
})

/** The whole configuration, checked and converted. */
export type Config = z.output<typeof configSchema>

export type Listener = Config['listeners'][number]
export type Route = Config['routes'][number]
export type Plugin = Config['plugins'][number]
export type BuiltinPlugin = z.output<typeof builtinPlugin>
export type PluginConfig<Name extends BuiltinPlugin['name']> = Extract<BuiltinPlugin, { name: Name }>['config']

const BUILTINS = new Set(builtinPlugin.options.map(option => option.shape.name.value as string))

/** False for a plugin of the site's own. */
export function isBuiltin(plugin: Plugin): plugin is BuiltinPlugin {
  return BUILTINS.has(plugin.name)
}

/** The settings of a plugin that is there and enabled; undefined otherwise. */
export function enabledPlugin<Name extends BuiltinPlugin['name']>(
  { plugins }: Pick<Config, 'plugins'>,
  name: Name,
): PluginConfig<Name> | undefined {
  const found = plugins.filter(isBuiltin).find(plugin => plugin.name === name && plugin.enabled)
  return found?.config as PluginConfig<Name> | undefined
}

/** The name of the machine where it is a full one, else one that no resolver will ever know. */
export function defaultHostname(system: string): string {
  const name = system.toLowerCase()
  if (!isDomain(name)) return 'localhost.localdomain'
  return name.includes('.') ? name : `${name}.localdomain`
}
