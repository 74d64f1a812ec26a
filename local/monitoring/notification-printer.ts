// The Slack of a machine without one: takes what Alertmanager would post there and hands on its title and text, for the
// terminal in which the monitoring runs. Answers "ok", as Slack does. What is no Slack message is told as it came.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

export type Printer = Readonly<{ url: string; close(): Promise<void> }>

type Post = Readonly<{ channel?: string; attachments?: readonly Readonly<{ title?: string; text?: string }>[] }>

/** Listens on 127.0.0.1. Rejects with EADDRINUSE when the port is taken. */
export async function startNotificationPrinter(port: number, print: (text: string) => void): Promise<Printer> {
  const server = createServer((request, response) => {
    text(request)
      .then(body => {
        print(describe(body))
        response.end('ok')
      })
      .catch(() => response.destroy())
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** `#elemta-alerts  [FIRING] ScannerDown …`, and the text below it. */
export function describe(body: string): string {
  let post: Post
  try {
    post = JSON.parse(body) as Post
  } catch {
    return body
  }
  const [attachment] = post.attachments ?? []
  if (attachment === undefined) return body
  const lines = (attachment.text ?? '').trim().split('\n')
  return [`${post.channel ?? ''}  ${attachment.title ?? ''}`, ...lines.map(line => `    ${line}`)].join('\n')
}
