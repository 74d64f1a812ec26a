// The kinds of value that the configuration file knows: zod types that say what is wrong in a sentence for people.
// Where the typed value differs from the written one they convert both ways, because `config show` writes back.
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import ipaddr from 'ipaddr.js'
import * as z from 'zod'
import { formatDuration, formatSize, parseDuration, parseSize } from './config-units.ts'

/** Octets; written `25MB`. */
export const size = () => measure(parseSize, formatSize, z.number(), '^\\d+(\\.\\d+)?\\s*([KMGkmg](i?[Bb])?|[Bb])?$')

/** Milliseconds; written `30s`. */
export const duration = () =>
  measure(parseDuration, formatDuration, z.number().meta({ const: 0 }), '^(0|\\d+(\\.\\d+)?\\s*(ms|[smhdw]))$')

/** Waits between attempts in milliseconds: a list, or text such as `1m, 5m*2, 1h*3`, as Haraka writes it. */
export const retrySchedule = () =>
  z.codec(z.union([z.array(duration()), z.string().meta({ pattern: '^[^,]+(,[^,]+)*$' })]), z.array(z.number()), {
    decode: (input, context) => {
      try {
        const waits = typeof input === 'string' ? input.split(',').flatMap(repeated) : input
        if (waits.length > 0 && waits.every(wait => wait > 0)) return waits
        throw new RangeError('a wait of 0s, or none at all, would retry without a pause')
      } catch (error) {
        context.issues.push({ code: 'custom', message: (error as Error).message, input })
        return z.NEVER
      }
    },
    encode: waits => waits,
  })

function repeated(text: string): number[] {
  const [, wait = '', times = '1'] = /^\s*([^*]+?)\s*(?:\*\s*(\d{1,4}))?\s*$/.exec(text) ?? []
  return Array.from({ length: Number(times) }, () => parseDuration(wait))
}

/** Things per millisecond, as { amount, period }; written `60/m`, `500MB/h`. */
export const rate = () =>
  z.codec(
    z.string().meta({ pattern: '^\\d+(\\.\\d+)?\\s*([KMGkmg][Bb]?)?/(\\d*)(s|m|h|d)$' }),
    z.custom<Rate>(isRate),
    {
      decode: (input, context) => {
        const [, amount = '', period = ''] = /^([^/]+)\/(\d*[smhd])$/.exec(input.replaceAll(' ', '')) ?? []
        try {
          return { amount: parseSize(amount), period: parseDuration(/^\d/.test(period) ? period : `1${period}`) }
        } catch {
          const message = `expected an amount per time such as 60/m or 500MB/h, not "${input}"`
          context.issues.push({ code: 'custom', message, input })
          return z.NEVER
        }
      },
      encode: ({ amount, period }) =>
        `${amount % 1024 === 0 ? formatSize(amount) : amount}/${formatDuration(period).replace(/^1(?=[smhd])/, '')}`,
    },
  )

/** `amount` things in `period` milliseconds. */
export type Rate = Readonly<{ amount: number; period: number }>

/** Asked of whatever a block holds, to find out which plugin's it is. */
function isRate(value: unknown): value is Rate {
  return typeof value === 'object' && value !== null && 'amount' in value && 'period' in value
}

function measure(
  parse: (input: string | number) => number,
  format: (value: number) => string,
  number: z.ZodNumber,
  pattern: string,
) {
  return z.codec(z.union([z.string().meta({ pattern }), number]), z.number(), {
    decode: (input, context) => {
      try {
        return parse(input)
      } catch (error) {
        context.issues.push({ code: 'custom', message: (error as Error).message, input })
        return z.NEVER
      }
    },
    encode: format,
  })
}

/** A string for which `problem` finds nothing to say. */
function text(problem: (value: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = problem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
}

export const port = () => z.int().min(0).max(65_535)

/** An address to listen on. */
export const listenAddress = () =>
  text(value =>
    isIP(value) === 0 ? `expected an IP address such as 127.0.0.1, 0.0.0.0 or ::, not "${value}"` : undefined,
  )

/** A host to connect to: a name or an IP address. */
export const host = () =>
  text(value => {
    if (isIP(value) !== 0 || /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(value)) return undefined
    const withPort = /:\d+$/.test(value) ? '; the port has its own key' : ''
    return `expected a host name or an IP address, not "${value}"${withPort}`
  })

/** A mail domain, in lower-case A-labels (RFC 5890). */
export const domain = () => asciiDomain().superRefine(refuseUnless(isDomain, 'a domain such as example.com'))

/** The name this host goes by in greetings and trace headers: a domain with a dot (RFC 5321 §2.3.5, §4.1.4). */
export const hostname = () =>
  asciiDomain().superRefine(
    refuseUnless(value => isDomain(value) && value.includes('.'), 'a full host name such as mx.example.com'),
  )

/** `example.com`, `*.example.com` (any subdomain) or `*` (everything). */
export const domainPattern = () =>
  asciiDomain().superRefine(
    refuseUnless(
      value => value === '*' || isDomain(value.replace(/^\*\./, '')),
      'a domain pattern: example.com, *.example.com or *',
    ),
  )

function asciiDomain() {
  return z.string().overwrite(value => (/^[ -~]*$/.test(value) ? value : domainToASCII(value) || value).toLowerCase())
}

function refuseUnless(valid: (value: string) => boolean, expected: string) {
  return (value: string, context: z.RefinementCtx) => {
    if (!valid(value)) context.addIssue({ code: 'custom', message: `expected ${expected}, not "${value}"` })
  }
}

/** RFC 1035 §2.3.4, RFC 1123 §2.1: labels of letters, digits and inner hyphens, 63 each, 253 together. */
export function isDomain(value: string): boolean {
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
  return value.length <= 253 && value.split('.').every(part => label.test(part)) && isIP(value) === 0
}

/** A client network: `192.0.2.0/24`, `2001:db8::/32` or one address. Never the whole Internet. */
export const network = () => text(networkProblem)

function networkProblem(value: string): string | undefined {
  const [address = '', bits, ...rest] = value.split('/')
  const expected = `expected a network such as 192.0.2.0/24 or an IP address, not "${value}"`
  if (isIP(address) === 0 || rest.length > 0) return expected
  const parsed = ipaddr.parse(address)
  const width = parsed.toByteArray().length * 8
  const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  if (!(prefix <= width)) return expected
  const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()
  if (prefix === 0 || (mapped && prefix <= 96)) {
    return `${value} is the whole Internet: this would be an open relay; name the networks that may send through you`
  }
  const first = (parsed instanceof ipaddr.IPv4 ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(
    `${address}/${prefix}`,
  )
  if (first.toString() !== parsed.toString()) {
    return `${value} has bits behind its prefix; did you mean ${first.toString()}/${prefix}, or ${address} alone?`
  }
  return undefined
}

/** `maildir:PATH`, `smtp://HOST:PORT`, `smtps://…`, `lmtp://…` (an IPv6 address stands in brackets), or `mx:`. */
export const nextHop = () =>
  text(value => {
    if (value === 'mx:') return undefined
    const [, path] = /^maildir:(.*)$/.exec(value) ?? []
    if (path !== undefined)
      return path.trim() === '' ? 'maildir: needs a path, as in maildir:./data/maildir' : undefined
    const [, name = '', digits] =
      /^(?:smtps?|lmtp):\/\/(\[[0-9a-f:.]+\]|[^\s:/@[\]]+)(?::(\d{1,5}))?$/i.exec(value) ?? []
    if (name === '')
      return `expected maildir:PATH, smtp://HOST:PORT, smtps://HOST:PORT, lmtp://HOST:PORT or mx:, not "${value}"`
    if (name.startsWith('[') && isIP(name.slice(1, -1)) !== 6) return `${name} is not an IPv6 address`
    if (digits === undefined)
      return `the port is missing: write ${value}:${value.startsWith('lmtp') ? 24 : value.startsWith('smtps') ? 465 : 25}`
    const number = Number(digits)
    return number >= 1 && number <= 65_535 ? undefined : `${digits} is not a port`
  })

/** A password or token: masked by `config show`, and `<key>_file: PATH` may stand in its place. */
export const secret = () => z.string().meta({ writeOnly: true })
