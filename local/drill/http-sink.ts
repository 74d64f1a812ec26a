// Takes what is POSTed to it on 127.0.0.1, says "ok" as Slack does, and keeps it: the Slack and the dead-man's switch of
// a drill. Bodies that are no JSON are kept as text.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type Posted = Readonly<{ path: string; body: unknown; at: number }> // at: ms since 1970

export type HttpSink = Readonly<{ url: string; posted: readonly Posted[]; close(): Promise<void> }>

export async function startHttpSink(): Promise<HttpSink> {
  const posted: Posted[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined)
    if (body !== undefined) posted.push({ path: request.url ?? '/', body: asJson(body), at: Date.now() })
    response.end('ok')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posted,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function asJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}
