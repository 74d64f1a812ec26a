// Which kinds of mail a load is made of, and how much of each. Pure; what makes no sense throws RangeError with a
// sentence for people.

/** What each does, for `elemta load --help` and docs/load.md. */
export const KINDS = {
  clean: 'an ordinary short message',
  gtube: 'the text that every spam filter calls spam',
  eicar: 'the file that every virus scanner calls a virus',
  greylist: 'a sender never seen before, who comes back when deferred',
  unknown: 'to a user of the same domain who does not exist',
  big: 'a message of --big octets',
  slow: 'a message whose octets take --slow',
  auth: 'a login with a wrong password (--submission)',
  submit: 'an ordinary message by a user who logs in (--submission, --user, --password-file)',
} as const
export type Kind = keyof typeof KINDS

/** Weights: 70 and 30 are as good as 7 and 3. */
export type Mix = ReadonlyMap<Kind, number>

export const DEFAULT_MIX = 'clean=80,gtube=5,eicar=2,greylist=3,unknown=5,big=3,slow=2'

/** Reads `clean=70,gtube=5`. */
export function parseMix(text: string): Mix {
  const mix = new Map<Kind, number>()
  for (const [name, value] of pairs(text)) {
    const weight = Number(value)
    if (!(weight >= 0 && Number.isFinite(weight))) throw new RangeError(`"${value}" is no share for ${name}`)
    mix.set(name, weight)
  }
  if ([...mix.values()].every(weight => weight === 0)) throw new RangeError('the mix is empty: write clean=70,gtube=5')
  return mix
}

/** The kind at `fraction` (from 0 up to 1) of the mix. */
export function kindAt(mix: Mix, fraction: number): Kind {
  const total = [...mix.values()].reduce((sum, weight) => sum + weight, 0)
  let left = fraction * total
  for (const [kind, weight] of mix) {
    if (weight > 0 && left < weight) return kind
    left -= weight
  }
  return [...mix.keys()].findLast(kind => mix.get(kind)! > 0)!
}

/** What every message of a kind must be told at last: the beginnings of reply codes, `250`, `5`. */
export type Expectations = ReadonlyMap<Kind, readonly string[]>

/** Reads `clean=250,eicar=250|554,unknown=5`. */
export function parseExpectations(text: string): Expectations {
  const expected = new Map<Kind, readonly string[]>()
  for (const [name, value] of pairs(text)) {
    const codes = value.split('|')
    const wrong = codes.find(code => !/^[245]\d{0,2}$/.test(code))
    if (wrong !== undefined) throw new RangeError(`"${wrong}" is no reply code: write ${name}=250 or ${name}=5`)
    expected.set(name, codes)
  }
  return expected
}

/** Reads `20/s`, `300/m` or `20`: messages per second. */
export function parseRate(text: string): number {
  const [, count = '', unit = 's'] = /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/.exec(text) ?? []
  const rate = Number(count) / { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h']
  if (count === '' || !(rate > 0)) throw new RangeError(`"${text}" is no rate: write 20/s or 300/m`)
  return rate
}

/** Reads `host:25`, `[::1]:25` or `host`. */
export function parseServer(text: string, defaultPort: number): Readonly<{ host: string; port: number }> {
  const [, bracketed, name, digits] = /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const host = bracketed ?? name
  const port = digits === undefined ? defaultPort : Number(digits)
  if (host === undefined || port < 1 || port > 65_535) throw new RangeError(`"${text}" is no server: write HOST:PORT`)
  return { host, port }
}

function* pairs(text: string): Generator<[Kind, string]> {
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.trim().split('=')
    if (!Object.hasOwn(KINDS, name)) {
      throw new RangeError(`"${name}" is no kind of mail: there are ${Object.keys(KINDS).join(', ')}`)
    }
    yield [name as Kind, value]
  }
}
