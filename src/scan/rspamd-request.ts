// The head of a /checkv2 request: what rspamd is told about a message besides its content. Pure.
// HTTP/1.0, so that the reply is not chunked and ends with the connection, which is what rspamd does anyway.
import type { AcceptedMessage } from '../mail/record.ts'

export type RequestOptions = Readonly<{
  host: string
  /** Our own name: `Authentication-Results` are given in it. */
  hostname?: string | undefined
  /** Of the controller, which asks for one unless we come from its secure_ip. */
  password?: string | undefined
}>

/**
 * IP is always told, or rspamd would believe the topmost `Received`. `Hostname: unknown` says that we did not look the
 * client's name up; without it rspamd takes the client for one that has no name, +2.5. User only where there is one:
 * an empty one counts as an authenticated user, who is spared SPF, DKIM, DMARC and denylists.
 */
export function checkRequest(
  { queueId, client, envelope }: AcceptedMessage,
  size: number,
  options: RequestOptions,
): Buffer {
  const { host, hostname, password } = options
  const lines = [
    'POST /checkv2 HTTP/1.0',
    field('Host', host),
    field('IP', client.address),
    field('Helo', client.helo),
    'Hostname: unknown',
    field('From', `<${envelope.reversePath}>`),
    ...envelope.recipients.map(({ address }) => field('Rcpt', `<${address}>`)),
    field('Queue-Id', queueId),
  ]
  if (client.user) lines.push(field('User', client.user))
  if (hostname) lines.push(field('MTA-Name', hostname))
  if (password) lines.push(field('Password', password))
  lines.push(`Content-Length: ${size}`, '', '')
  return Buffer.from(lines.join('\r\n'), 'latin1')
}

/**
 * Whatever is not printable ASCII is percent-encoded: nothing can end the line, and rspamd, which takes an address with
 * raw UTF-8 for none at all, still sees the domain and can check SPF and DMARC. It does not decode: `%` may stay.
 */
function field(name: string, value: string): string {
  return `${name}: ${value.toWellFormed().replace(/[^ -~]/gu, character => encodeURIComponent(character))}`
}
