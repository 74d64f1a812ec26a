// The operator's interface: POST /v1/NAME with a JSON body and `Authorization: Bearer TOKEN`, answered with JSON.
// A web page that a person happens to look at cannot use it: the token is in no cookie, only application/json is
// taken (which a page may not send elsewhere without being asked), and no answer allows another origin.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'

export type ApiAnswer = Readonly<{ status: number; body: unknown }>

export type ApiOptions = Readonly<{
  token: string
  /** `who`: the person's name as the caller tells it. */
  run: (name: string, input: unknown, who: string) => Promise<ApiAnswer>
}>

/** The header that says who acts, percent-encoded. */
export const WHO_HEADER = 'elemta-operator'

const LONGEST_NAME = 100
const LARGEST_BODY = 1024 * 1024

/** Answers a request whose path begins with /v1/. Rejects only when `run` does, or the client leaves. */
export function createApi({ token, run }: ApiOptions): (request: IncomingMessage, path: string) => Promise<ApiAnswer> {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${token}`)

  return async (request, path) => {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) {
      return refusal(401, 'the token is missing or wrong; it is in operator-token in the data directory')
    }
    if (request.method !== 'POST') return refusal(405, 'only POST is understood')
    const [type] = (request.headers['content-type'] ?? '').split(';')
    if (type?.trim().toLowerCase() !== 'application/json') return refusal(415, 'the body must be application/json')
    if (Number(request.headers['content-length'] ?? Number.NaN) > LARGEST_BODY) return refusal(413, 'too much')
    const who = nameIn(request.headers[WHO_HEADER])
    if (who === undefined) return refusal(400, `${WHO_HEADER} is not a name`)
    let input: unknown
    try {
      input = JSON.parse((await buffer(limited(request))).toString() || '{}')
    } catch (error) {
      if (!(error instanceof SyntaxError)) return refusal(413, 'too much')
      return refusal(400, 'the body is not JSON')
    }
    return run(path.slice('/v1/'.length), input, who)
  }
}

function refusal(status: number, error: string): ApiAnswer {
  return { status, body: { error } }
}

async function* limited(request: IncomingMessage): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_BODY) throw new Error('too much')
    yield chunk
  }
}

/** It goes into logs and records: one line, not long. */
function nameIn(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return 'api'
  try {
    const name = decodeURIComponent(String(header)).trim()
    return name !== '' && name.length <= LONGEST_NAME && !/\p{Cc}/u.test(name) ? name : undefined
  } catch {
    return undefined
  }
}
