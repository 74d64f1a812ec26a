// The blocks of `plugins:` and what each may hold. The scanners look at content after (or, with scan.wait, before) the
// 250; the others are session policies, which decide while the client waits. Every block of a policy has `mode`.
import * as z from 'zod'
import { domain, domainPattern, duration, host, network, port, rate, secret, size } from './config-fields.ts'

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
      updates: z
        .strictObject({
          enabled: z.boolean().prefault(true).describe('false: nobody updates the signatures of an own clamd'),
          interval: duration()
            .refine(interval => interval >= 1_800_000, 'mirrors refuse clients that come more often than every 30m')
            .prefault('2h')
            .describe('Between two looks for newer signatures; at least 30m'),
          mirror: z.url().optional().describe('A private mirror that holds main.cvd, daily.cvd and bytecode.cvd'),
          databases: z.array(z.url()).prefault([]).describe('More databases, such as https://example.com/own.ndb'),
        })
        .prefault({})
        .describe('Keeping the signatures of an own clamd up to date by freshclam'),
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
      controller_port: port().min(1).prefault(11_334).describe('Where rspamd learns and tells its statistics'),
      dqs_key: secret().optional().describe('Spamhaus Data Query Service; without it their free zones are asked'),
    })
    .prefault({}),
})

/** What every session policy has besides its own settings. */
const policy = {
  enabled: z.boolean().prefault(true),
  mode: z
    .enum(['enforce', 'log'])
    .prefault('enforce')
    .describe('log: only tell in the log and the metrics what would have been refused'),
  timeout: duration().prefault('10s').describe('After it the client is told to come back: 451'),
}

const clients = () => z.array(network()).prefault([]).describe('Client networks that are never asked about')

const greylist = z.strictObject({
  name: z.literal('greylist'),
  ...policy,
  config: z
    .strictObject({
      delay: duration().prefault('5m').describe('A stranger is deferred until it comes back after this long'),
      retry_window: duration().prefault('48h').describe('It has to come back within this time'),
      lifetime: duration().prefault('36d').describe('How long a triplet that passed is remembered after its last use'),
      auto_allow: z
        .int()
        .min(0)
        .prefault(5)
        .describe('After so many passed messages a client is deferred no more; 0: never'),
      key: z
        .enum(['network', 'spf'])
        .prefault('network')
        .describe('What counts as the same client: its network, or the sender domain where its SPF passes'),
      ipv4_prefix: z.int().min(8).max(32).prefault(24),
      ipv6_prefix: z.int().min(32).max(128).prefault(64),
      only_suspicious: z
        .boolean()
        .prefault(false)
        .describe('true: only clients that a policy before found suspicious (DNSBL), or that have no name (rDNS)'),
      spf_allow: z
        .array(domainPattern())
        .prefault([])
        .describe(
          'Sender domains that are not deferred when their SPF passes: the large ones that retry from many hosts',
        ),
      allowlist: z
        .strictObject({
          clients: clients(),
          senders: z.array(z.string().min(1)).prefault([]).describe('user@example.com, example.com or *.example.com'),
          recipients: z.array(z.string().min(1)).prefault([]).describe('As senders; postmaster@example.com'),
        })
        .prefault({}),
    })
    .prefault({}),
})

const dnsbl = z.strictObject({
  name: z.literal('dnsbl'),
  ...policy,
  config: z
    .strictObject({
      zones: z
        .array(
          z.strictObject({
            zone: domain(),
            weight: z.number().prefault(1).describe('Negative for a zone that speaks for a client'),
            answers: z
              .array(z.string().regex(/^127(\.\d{1,3}){3}(\/\d{1,2})?$/, 'expected 127.0.0.2 or 127.0.0.0/29'))
              .prefault(['127.0.0.0/16'])
              .describe('Answers that mean a listing; 127.255.255.x never does'),
          }),
        )
        .min(1)
        .prefault([{ zone: 'zen.spamhaus.org' }]),
      reject_weight: z.number().positive().prefault(1).describe('The sum of weights from which a client is refused'),
      allowlist: clients(),
    })
    .prefault({}),
})

const helo = z.strictObject({
  name: z.literal('helo'),
  ...policy,
  config: z
    .strictObject({
      own_name: z.boolean().prefault(true).describe('Refuse who calls itself by our name or address'),
      full_name: z.boolean().prefault(true).describe('Refuse what is no full host name or address literal'),
      resolves: z.boolean().prefault(false).describe('Refuse a name that the DNS does not know'),
      allowlist: clients(),
    })
    .prefault({}),
})

const senderDomain = z.strictObject({
  name: z.literal('sender-domain'),
  ...policy,
  config: z
    .strictObject({
      allowlist: clients(),
      domains: z.array(domainPattern()).prefault([]).describe('Sender domains that are not looked up'),
    })
    .prefault({}),
})

const recipients = z.strictObject({
  name: z.literal('recipients'),
  ...policy,
  config: z
    .strictObject({
      addresses: z
        .array(z.string().min(1))
        .prefault([])
        .describe('Recipients that exist; @example.com: all of a domain'),
      file: z.string().min(1).optional().describe('The same, one a line; read again when it changes'),
      patterns: z.array(z.string().min(1)).prefault([]).describe('Regular expressions for whole addresses'),
      http: z
        .url()
        .optional()
        .describe('Asked with ?recipient=ADDRESS: 200 exists, 404 does not; anything else means later'),
      call_ahead: z.boolean().prefault(false).describe('Ask the next hop by RCPT, before we take the message'),
      cache: duration().prefault('1h').describe('How long an answer of http or call_ahead is believed; a no: a tenth'),
    })
    .prefault({})
    .describe('A recipient is taken that any of these knows; with none of them set, every one'),
})

const rateLimit = z.strictObject({
  name: z.literal('rate-limit'),
  ...policy,
  config: z
    .strictObject({
      connections: rate().prefault('60/m').describe('Of one client (IPv4 address, IPv6 /64)'),
      messages: rate().prefault('120/m').describe('Of one client'),
      recipients: rate().prefault('600/m').describe('Of one client'),
      octets: rate().prefault('500MB/h').describe('Of one client, or of one authenticated user'),
      user_messages: rate().prefault('200/h').describe('Of one authenticated user, from wherever'),
      user_recipients: rate().prefault('1000/h').describe('Of one authenticated user'),
      allowlist: clients(),
    })
    .prefault({}),
})

/** A plugin of the site's own: what `config` may hold is its business. */
const custom = z.strictObject({
  name: z
    .string()
    .regex(/^(\.{0,2}\/|@[\w-]+\/|elemta-plugin-)/, { abort: true })
    .describe('A path that begins with ./ or /, or a package: elemta-plugin-… or @scope/name'),
  ...policy,
  config: z.record(z.string(), z.unknown()).prefault({}),
})

export const builtinPlugin = z.discriminatedUnion('name', [
  clamav,
  rspamd,
  greylist,
  dnsbl,
  helo,
  senderDomain,
  recipients,
  rateLimit,
])

export const plugin = z.union([builtinPlugin, custom])
