// What must hold for every address, path and parameter: nothing throws, what is accepted has one form, and the command
// that hands it on to a next hop is read there as we read it.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCommand } from '../../src/ingress/command.ts'
import { canonicalDomain, parseForwardPath, parseReversePath } from '../../src/mail/address.ts'

const ATEXT = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
const atom = fc.string({ unit: fc.constantFrom(...ATEXT), minLength: 1, maxLength: 8 })
const dotString = fc.array(atom, { minLength: 1, maxLength: 4 }).map(atoms => atoms.join('.'))
const quotedString = fc
  .array(
    fc.oneof(fc.constantFrom('\\"', '\\\\', '\\a', '\\ '), fc.constantFrom(...' !#@<>()[],;:.abc\\'.replace('\\', ''))),
  )
  .map(parts => `"${parts.join('')}"`)
const label = fc.stringMatching(/^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?$/).filter(text => !/^..--/.test(text))
const hostname = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => [...labels, 'Test'].join('.'))
const literal = fc.oneof(
  fc.ipV4().map(address => `[${address}]`),
  fc.ipV6().map(address => `[IPv6:${address}]`),
)
const uLabel = fc.constantFrom('bücher', '例え', 'straße', 'ελλάδα', 'пример')
const international = fc.tuple(uLabel, hostname).map(labels => labels.join('.'))
const domain = fc.oneof(hostname, literal)
const localPart = fc.oneof(dotString, quotedString)
const mailbox = fc.tuple(localPart, fc.oneof(domain, international)).map(parts => parts.join('@'))

/** Nearly addresses, and nothing like them. */
const pieces = ['@', '"', '\\', '<', '>', '[', ']', '(', ')', ',', ':', ';', '.', '%', '!', ' ', '\t', '\0', '\r', '\n']
const odd = fc.constantFrom(
  ...pieces,
  'ü',
  '\u3002',
  '\uff20',
  '\ufe6b',
  '\u200b',
  '\u202e',
  '\ud800',
  'xn--',
  '[IPv6:',
  '|',
)
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.oneof(odd, atom, hostname, literal), { maxLength: 10 }).map(parts => parts.join('')),
  fc.tuple(mailbox, odd, fc.nat(30)).map(([address, sign, at]) => address.slice(0, at) + sign + address.slice(at)),
  mailbox,
)

const many = { numRuns: 1000 }
const read = (path: string) => {
  const parsed = parseReversePath(path, true)
  return parsed.ok ? parsed.address : parsed.problem
}
const asCommand = (line: string) => parseCommand(Buffer.from(line))

describe('an address', () => {
  test('by the grammar is accepted, whatever its local part', () => {
    fc.assert(
      fc.property(mailbox, address => {
        expect(parseReversePath(address, true)).toEqual({ ok: true, address: expect.stringContaining('@') })
      }),
      many,
    )
  })

  test('has one form, which stays as it is', () => {
    fc.assert(
      fc.property(text, path => {
        const parsed = parseReversePath(path, true)
        if (!parsed.ok || parsed.address === '') return
        expect(parseReversePath(parsed.address, true)).toEqual(parsed)
        const host = parsed.address.slice(parsed.address.lastIndexOf('@') + 1)
        expect(canonicalDomain(host)).toBe(host)
        expect(host).toMatch(/^[!-~]+$/)
        expect(Buffer.byteLength(parsed.address)).toBeLessThanOrEqual(254)
      }),
      many,
    )
  })

  test('is the same mailbox in another spelling: domain in capitals, quotes that nobody needs, a source route', () => {
    fc.assert(
      fc.property(dotString, domain, hostname, (local, host, hop) => {
        const address = read(`${local}@${host}`)
        expect(read(`${local}@${host.toUpperCase()}`)).toBe(address)
        expect(read(`"${local}"@${host}`)).toBe(address)
        expect(read(`"\\${local}"@${host}`)).toBe(address)
        expect(read(`@${hop},@${hop}:${local}@${host}`)).toBe(address)
      }),
      many,
    )
  })

  test('of a recipient is one of a sender, and names no other host in its local part', () => {
    fc.assert(
      fc.property(text, fc.boolean(), (path, smtputf8) => {
        const recipient = parseForwardPath(path, smtputf8)
        if (!recipient.ok || recipient.address === 'postmaster') return
        expect(parseReversePath(path, smtputf8)).toEqual(recipient)
        expect(recipient.address.slice(0, recipient.address.lastIndexOf('@'))).not.toMatch(/[@%!＠％！]/)
      }),
      many,
    )
  })

  test('that is not ASCII is for those who say SMTPUTF8', () => {
    fc.assert(
      fc.property(text, path => {
        const parsed = parseReversePath(path, false)
        if (parsed.ok) expect(parsed.address).toMatch(/^[ -~]*$/)
      }),
      many,
    )
  })

  test('can be said to a next hop, who reads the same one', () => {
    fc.assert(
      fc.property(text, path => {
        const parsed = parseReversePath(path, true)
        if (!parsed.ok) return
        const command = asCommand(`MAIL FROM:<${parsed.address}> SMTPUTF8`)
        expect(command).toMatchObject({ verb: 'MAIL', path: parsed.address, smtputf8: true })
        if (parsed.address === '') return
        expect(asCommand(`RCPT TO:<${parsed.address}>`)).toMatchObject({ verb: 'RCPT', path: parsed.address })
      }),
      many,
    )
  })
})

describe('a domain', () => {
  test('in its one form is ASCII and stays as it is, and no text makes the parser throw', () => {
    fc.assert(
      fc.property(fc.oneof(text, hostname, international, literal, fc.string({ unit: 'grapheme' })), name => {
        const canonical = canonicalDomain(name)
        if (canonical === undefined) return
        expect(canonical).toMatch(/^[!-~]{1,}$/)
        expect(canonicalDomain(canonical)).toBe(canonical)
        expect(canonicalDomain(name.replaceAll(/[a-z]/g, letter => letter.toUpperCase()))).toBe(canonical)
      }),
      many,
    )
  })
})

describe('the parameters of MAIL', () => {
  const anyCase = (word: string) => fc.mixedCase(fc.constant(word))
  const size = fc.nat({ max: 2 ** 31 - 1 })
  const known = fc.record(
    { SIZE: size, BODY: fc.constantFrom('7BIT', '8BITMIME'), SMTPUTF8: fc.constant(''), AUTH: fc.constant('<>') },
    { requiredKeys: [] },
  )
  /** Each as `NAME=value` in any case, in any order, with any number of blanks in between. */
  const written = known.chain(wanted => {
    const words = Object.entries(wanted).map(([name, value]) => anyCase(value === '' ? name : `${name}=${value}`))
    const line = fc
      .tuple(fc.tuple(...words), fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 3 }))
      .map(([said, order, blanks]) => {
        const places = said.map((word, n) => ({ word, place: [...order.take(n + 1)].at(-1)! }))
        return places.sort((a, b) => a.place - b.place).map(({ word }) => ' '.repeat(blanks) + word)
      })
    return fc.tuple(fc.constant(wanted), line)
  })

  test('mean the same in any case and order', () => {
    fc.assert(
      fc.property(written, ([wanted, words]) => {
        expect(asCommand(`MAIL FROM:<a@b.test>${words.join('')}`)).toEqual({
          verb: 'MAIL',
          path: 'a@b.test',
          size: wanted.SIZE ?? 0,
          body: wanted.BODY ?? '7BIT',
          smtputf8: wanted.SMTPUTF8 !== undefined,
          auth: wanted.AUTH !== undefined,
        })
      }),
      many,
    )
  })

  test('are refused when one is said twice, or one is not known', () => {
    fc.assert(
      fc.property(written, fc.stringMatching(/^[A-Z][A-Z0-9-]{0,10}(?:=[!-<>-~]{1,10})?$/), ([, words], other) => {
        for (const word of words) {
          const twice = asCommand(`MAIL FROM:<a@b.test>${words.join('')}${word}`)
          expect(twice).toMatchObject({ verb: 'refused', reply: { code: 501 } })
        }
        if (/^(?:SIZE|BODY|SMTPUTF8|AUTH)(?:=|$)/.test(other)) return
        const unknown = asCommand(`MAIL FROM:<a@b.test>${words.join('')} ${other}`)
        expect(unknown).toMatchObject({ verb: 'refused', reply: { code: 555 } })
      }),
      many,
    )
  })

  test('of any size are a number or refused, never something else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.bigInt().map(String), fc.double().map(String), fc.string()), value => {
        const command = asCommand(`MAIL FROM:<a@b.test> SIZE=${value}`)
        if (command.verb !== 'MAIL') return
        expect(command.size).toBeGreaterThanOrEqual(0)
        expect(command.size).toBe(Number(/^\d+/.exec(value)?.[0]))
      }),
      many,
    )
  })
})
