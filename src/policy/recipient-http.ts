// Asks a web service of the site's own whether a recipient exists: GET with ?recipient=ADDRESS, 200 yes, 404 no.
// Everything else, a redirect (to a login page, say) and no answer in time among it, means later. Never rejects.
import type { RecipientAnswer } from './recipient-answer.ts'

/** Throws Error on what is no web address. */
export function createHttpQuestion(http: string, timeout = 8000): (recipient: string) => Promise<RecipientAnswer> {
  const { url, headers } = addressOf(http)
  return async recipient => {
    const question = new URL(url)
    question.searchParams.append('recipient', recipient)
    try {
      const response = await fetch(question, { headers, redirect: 'manual', signal: AbortSignal.timeout(timeout) })
      await response.body?.cancel()
      if (response.status === 200) return { kind: 'known' }
      if (response.status === 404) return { kind: 'unknown' }
      return { kind: 'later', why: `${url.host} answered ${response.status}` }
    } catch (error) {
      const { message, cause } = error as Error
      return { kind: 'later', why: `${url.host}: ${(cause as Error | undefined)?.message || message}` }
    }
  }
}

/** `fetch` refuses an address with a password in it. */
function addressOf(http: string): { url: URL; headers: Record<string, string> } {
  const url = new URL(http)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new Error(`recipients: http: ${url.protocol}// cannot be asked; write http:// or https://`)
  }
  const credentials = [url.username, url.password].map(decodeURIComponent).join(':')
  url.username = ''
  url.password = ''
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  return { url, headers: credentials === ':' ? {} : { authorization } }
}
