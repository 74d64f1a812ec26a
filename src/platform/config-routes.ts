// Where mail goes and how: the blocks of `routes:` and `delivery:`.
import * as z from 'zod'
import { domainPattern, duration, listenAddress, nextHop, rate, retrySchedule, secret } from './config-fields.ts'

const weighted = z.strictObject({
  to: nextHop(),
  priority: z.int().min(0).prefault(10).describe('Lower ones are tried first'),
  weight: z.int().min(1).prefault(1).describe('The share among those of one priority'),
})

export const route = z.strictObject({
  domains: z.array(domainPattern()).min(1).describe('example.com, *.example.com or *; the most specific one wins'),
  to: z
    .union([nextHop(), z.array(weighted).min(1)])
    .describe('maildir:PATH, smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:; or several next hops'),
  tls: z
    .enum(['none', 'may', 'encrypt', 'verify'])
    .prefault('may')
    .describe('may: where it is offered. encrypt: or not at all. verify: and with a certificate for the host'),
  ca: z.string().min(1).optional().describe('PEM file of the authority that signed the certificate, for verify'),
  auth: z
    .strictObject({ user: z.string().min(1), password: secret() })
    .optional()
    .describe('Log in at the next hop; only over TLS'),
  source: listenAddress().optional().describe('Our address to connect from'),
  helo: z.string().min(1).optional().describe('Our name in EHLO, where it is not hostname'),
  connections: z.int().min(1).prefault(20).describe('To one next hop at the same time'),
  messages_per_connection: z.int().min(1).prefault(100),
  rate: rate().optional().describe('Messages to one next hop, such as 100/m'),
})

export const delivery = z.strictObject({
  concurrency: z.int().min(1).prefault(20).describe('Messages delivered at the same time'),
  retry_schedule: retrySchedule()
    .prefault(['1m', '5m', '15m', '30m', '1h', '2h', '4h'])
    .describe('Waits between attempts: a list, or text such as "1m, 5m*2, 1h*3"; the last one repeats'),
  lifetime: duration().prefault('5d').describe('After this long in the queue a message is given up'),
  delay_warning: duration().prefault('4h').describe('After this long its sender is told that it is late; 0s: never'),
  dsn: z
    .strictObject({
      enabled: z.boolean().prefault(true).describe('false: senders are told of nothing'),
      per_sender: rate().prefault('20/h').describe('More of them to one sender are only counted'),
      double_bounce: z
        .enum(['discard', 'postmaster'])
        .prefault('discard')
        .describe('What becomes of a DSN that cannot be delivered'),
    })
    .prefault({})
    .describe('Delivery status notifications (RFC 3464), never for what was not clean'),
})
