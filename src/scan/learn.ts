// Teaches rspamd through its controller: Bayes (/learnham, /learnspam) and, where it has a fuzzy storage that may be
// written to, the message's hashes (/fuzzyadd for spam, /fuzzydel for what was no spam after all).
// Rejects with an ExitError when the controller cannot be asked; whatever it answers about a message is an outcome.
import { EXIT, ExitError } from '../platform/exit.ts'

export type Kind = 'ham' | 'spam'

export type Controller = Readonly<{ host: string; port: number; password?: string | undefined }>

export type Learned = Readonly<{
  /** known: learned before. skipped: Bayes is sure of it already, or it has too few words. refused: see `detail`. */
  bayes: 'learned' | 'known' | 'skipped' | 'refused'
  /** What rspamd said; empty when all is well. */
  detail: string
  /** Whether hashes were added (spam) or removed (ham): false where nothing is stored, or nothing could be hashed. */
  fuzzy: boolean
}>

/** The flag of LOCAL_FUZZY_DENIED in config/rspamd/local.d/fuzzy_check.conf. */
const FUZZY_FLAG = '11'
const FUZZY_WEIGHT = '20'
/** Milliseconds for one request. */
const PATIENCE = 60_000

/** Teaches one message. */
export async function learn(controller: Controller, kind: Kind, content: Buffer): Promise<Learned> {
  const { status, said } = await post(controller, `learn${kind}`, content)
  const hash = await post(controller, kind === 'spam' ? 'fuzzyadd' : 'fuzzydel', content, {
    Flag: FUZZY_FLAG,
    Weight: FUZZY_WEIGHT,
  })
  const fuzzy = hash.status === 200 && hash.said === ''
  if (status === 200 && said === '') return { bayes: 'learned', detail: '', fuzzy }
  if (status === 208) return { bayes: 'known', detail: said, fuzzy }
  if (status === 204) return { bayes: 'skipped', detail: 'Bayes is sure of it already, or it has too few words', fuzzy }
  return { bayes: 'refused', detail: said || `rspamd answered ${status}`, fuzzy }
}

/** The status, and what rspamd says is wrong. */
async function post(
  { host, port, password }: Controller,
  command: string,
  body: Buffer,
  fields: Record<string, string> = {},
): Promise<{ status: number; said: string }> {
  const peer = `${host.includes(':') ? `[${host}]` : host}:${port}`
  let response: Response
  let text: string
  try {
    const headers = { ...fields, ...(password === undefined ? {} : { Password: password }) }
    const signal = AbortSignal.timeout(PATIENCE)
    response = await fetch(`http://${peer}/${command}`, { method: 'POST', headers, body: new Uint8Array(body), signal })
    text = await response.text()
  } catch (error) {
    const { message, cause } = error as Error
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message
    throw new ExitError(EXIT.unavailable, `rspamd's controller at ${peer} cannot be asked: ${why}`)
  }
  if (response.status === 401 || response.status === 403) {
    const advice = 'set password (or password_file) of the plugin rspamd'
    throw new ExitError(EXIT.unavailable, `rspamd's controller at ${peer} asks for a password: ${advice}`)
  }
  return { status: response.status, said: errorIn(text) }
}

/** `{"error": "…"}`; rspamd also says so with a status of 200. */
function errorIn(text: string): string {
  if (text.trim() === '') return ''
  try {
    const { error, success } = JSON.parse(text) as { error?: unknown; success?: unknown }
    if (typeof error === 'string') return error
    return success === false ? 'it did not succeed' : ''
  } catch {
    return `it answered no JSON: ${JSON.stringify(text.slice(0, 80))}`
  }
}
