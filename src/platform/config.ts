// The configuration: every key of config/elemta.yaml with its type, its default and what it is for.
// `Config` is what the rest of the program sees: sizes in octets, durations in milliseconds, nothing left to parse.
// Rules that concern several keys are in config-rules.ts; reading the file is config-load.ts.
import { availableParallelism, hostname as systemHostname } from 'node:os'
import { z } from 'zod'
import {
  domain,
  domainPattern,
  duration,
  host,
  hostname,
  isDomain,
  listenAddress,
  network,
  nextHop,
  port,
  secret,
  size,
} from './config-fields.ts'

const SCANS_PER_CORE = 4

const retrySchedule = () =>
  z.array(duration().refine(delay => delay > 0, 'a wait of 0s would retry without a pause')).min(1)

const listener = z.strictObject({
  address: listenAddress().prefault('127.0.0.1').describe('Where to listen: 0.0.0.0 is every IPv4 address'),
  port: port().describe('25 in production; 2525 needs no privileges; 0 takes any free one'),
  mode: z
    .enum(['mx', 'submission', 'submissions'])
    .refine(mode => mode === 'mx', { error: ({ input }) => `${input} is not built yet: only mx is` })
    .prefault('mx')
    .describe('mx: mail for our domains from anyone. The submission modes are not built yet'),
})

const route = z.strictObject({
  domains: z.array(domainPattern()).min(1).describe('example.com, *.example.com or *; the most specific one wins'),
  to: nextHop().describe('maildir:PATH, smtp://HOST:PORT or lmtp://HOST:PORT'),
})

const clamav = z.strictObject({
  name: z.literal('clamav'),
  enabled: z.boolean().prefault(true).describe('false: mail is not scanned for viruses'),
  config: z
    .strictObject({
      host: host().prefault('127.0.0.1').describe('Where clamd listens'),
      port: port().min(1).prefault(3310).describe('TCPSocket of clamd'),
      timeout: duration().prefault('30s').describe('For the whole scan; after it, on_error decides'),
      action: z
        .enum(['reject', 'quarantine', 'tag', 'discard'])
        .prefault('reject')
        .describe('What a virus leads to; reject means quarantine once a message was accepted'),
      log_clean: z.boolean().prefault(false).describe('true: a log line for clean messages too'),
      heuristics: z
        .enum(['quarantine', 'tag', 'deliver'])
        .prefault('quarantine')
        .describe('For what is suspicious but no known virus: encrypted archives, macros, exceeded limits'),
      on_error: z
        .enum(['defer', 'hold', 'tag'])
        .prefault('defer')
        .describe('When clamd fails: defer tries again, hold waits for an operator, tag delivers unscanned mail'),
      managed: z
        .boolean()
        .optional()
        .describe('true: always start an own clamd; false: never; unset: where none answers'),
      stream_max: size().optional().describe('StreamMaxLength of your clamd; at least limits.message_size'),
    })
    .prefault({}),
})

const rspamd = z.strictObject({
  name: z.literal('rspamd'),
  enabled: z.boolean().prefault(true).describe('false: mail is not scanned for spam'),
  config: z
    .strictObject({
      host: host().prefault('127.0.0.1').describe('Where rspamd listens'),
      port: port().min(1).prefault(11_333).describe('11333 is the normal worker; the controller, 11334, works as well'),
      timeout: duration().prefault('15s').describe('For the whole scan; after it, on_error decides'),
      reject_score: z.number().positive().prefault(15).describe('From this score on, `action` is taken'),
      add_headers: z
        .boolean()
        .prefault(true)
        .describe('false: header fields only on what is tagged or was not scanned'),
      action: z
        .enum(['quarantine', 'reject', 'tag'])
        .prefault('quarantine')
        .describe('What a score of reject_score leads to; reject means quarantine once a message was accepted'),
      on_error: z
        .enum(['defer', 'hold', 'tag'])
        .prefault('tag')
        .describe('When rspamd fails: defer tries again, hold waits for an operator, tag delivers with a header'),
      managed: z
        .boolean()
        .optional()
        .describe('true: always start an own rspamd; false: never; unset: where none answers'),
      max_size: size().optional().describe('max_message of your rspamd; larger messages could not be scanned'),
      password: secret().optional().describe("The controller's password, where it asks for one"),
    })
    .prefault({}),
})

export const configSchema = z.strictObject({
  hostname: hostname()
    .prefault(() => defaultHostname(systemHostname()))
    .meta({ perMachine: true })
    .describe('Our name in greetings and headers; by default the name of the machine'),
  data_dir: z.string().min(1).prefault('./data').describe('Spool, records and quarantine'),
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
    })
    .prefault({})
    .describe('How we speak SMTP'),
  scan: z
    .strictObject({
      wait: duration()
        .refine(wait => wait === 0, 'scanning before the 250 is not built yet: only 0s is')
        .prefault('0s')
        .describe('0s: accept, then scan. Scanning before the 250 is not built yet'),
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
  delivery: z
    .strictObject({
      concurrency: z.int().min(1).prefault(20).describe('Messages delivered at the same time'),
      retry_schedule: retrySchedule()
        .prefault(['1m', '5m', '15m', '30m', '1h', '2h', '4h'])
        .describe('Waits between attempts; the last one repeats'),
      lifetime: duration().prefault('5d').describe('After this long in the queue a message is given up'),
    })
    .prefault({})
    .describe('Attempts to hand over'),
  routes: z
    .array(route)
    .prefault([{ domains: ['*'], to: 'maildir:./data/maildir' }])
    .describe('Where mail goes, by the domain of its recipient'),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).prefault('info') })
    .prefault({})
    .describe('JSON lines on standard output'),
  plugins: z
    .array(z.discriminatedUnion('name', [clamav, rspamd]))
    .prefault([{ name: 'clamav' }, { name: 'rspamd' }])
    .describe('The scanners. An empty list is your choice to pass mail unscanned'),
})

/** The whole configuration, checked and converted. */
export type Config = z.output<typeof configSchema>

export type Listener = Config['listeners'][number]
export type Route = Config['routes'][number]
export type Plugin = Config['plugins'][number]
type PluginConfig<Name extends Plugin['name']> = Extract<Plugin, { name: Name }>['config']

/** The settings of a plugin that is there and enabled; undefined otherwise. */
export function enabledPlugin<Name extends Plugin['name']>(
  { plugins }: Pick<Config, 'plugins'>,
  name: Name,
): PluginConfig<Name> | undefined {
  const found = plugins.find(plugin => plugin.name === name && plugin.enabled)
  return found?.config as PluginConfig<Name> | undefined
}

/** The name of the machine where it is a full one, else one that no resolver will ever know. */
export function defaultHostname(system: string): string {
  const name = system.toLowerCase()
  if (!isDomain(name)) return 'localhost.localdomain'
  return name.includes('.') ? name : `${name}.localdomain`
}
