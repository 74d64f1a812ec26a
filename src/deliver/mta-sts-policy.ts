// MTA-STS policies (RFC 8461): what the DNS record and the file say, and whether a mail host is in a policy. Pure.
export type StsPolicy = Readonly<{
  mode: 'enforce' | 'testing' | 'none'
  /** Names or *.NAME, in lower case. */
  mx: readonly string[]
  /** Seconds. */
  maxAge: number
}>

/** RFC 8461 §3.2: about a year. */
const LONGEST_AGE = 31_557_600

/** The policy's id in the TXT records of _mta-sts.DOMAIN (§3.1); undefined where there is none, or more than one. */
export function policyId(records: readonly string[]): string | undefined {
  const [record, another] = records.filter(text => /^v=STSv1\s*(;|$)/.test(text))
  if (record === undefined || another !== undefined) return undefined
  return /;\s*id=([A-Za-z0-9]{1,32})\s*(?:;|$)/.exec(record)?.[1]
}

/** Reads a policy file (§3.2); undefined for what is none. Keys that nobody knows are skipped, the first of two counts. */
export function parsePolicy(text: string): StsPolicy | undefined {
  const mx: string[] = []
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const [, key, value = ''] = /^\s*([A-Za-z0-9][A-Za-z0-9_.-]{0,31})\s*:\s*(.*?)\s*$/.exec(line) ?? []
    if (key === 'mx') mx.push(value.toLowerCase().replace(/\.$/, ''))
    else if (key !== undefined && !fields.has(key)) fields.set(key, value)
  }
  const mode = fields.get('mode')
  const age = fields.get('max_age') ?? ''
  if (fields.get('version') !== 'STSv1' || !/^\d{1,10}$/.test(age)) return undefined
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return undefined
  if (mode !== 'none' && mx.length === 0) return undefined
  return { mode, mx, maxAge: Math.min(Number(age), LONGEST_AGE) }
}

/** §4.1: the name itself, or `*.` for exactly one label in its place. */
export function isInPolicy({ mx }: StsPolicy, host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  const parent = name.slice(name.indexOf('.'))
  return mx.some(pattern => pattern === name || (name.includes('.') && pattern === `*${parent}`))
}
