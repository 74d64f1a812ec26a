// The stand-in of axllent/mailpit: SMTP on 1025 that takes all mail, and as much of its HTTP interface on 8025 as tells what
// came: /livez, /readyz, /api/v1/messages, /api/v1/message/ID/raw, DELETE /api/v1/messages. In memory.

import { randomUUID } from 'node:crypto'
import { createServer as createHttp } from 'node:http'
import { createServer } from 'node:net'

const HTTP = 8025
if (process.argv[2] === 'readyz') {
  const { ok } = await fetch(`http://127.0.0.1:${HTTP}/readyz`).catch(() => ({ ok: false }))
  process.exit(ok ? 0 : 1)
}
console.log('stand-in: not Mailpit, but a sink with as much of its interface as the tests use')
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))

let messages = []

createServer(socket => {
  let received = ''
  let envelope
  let inContent = false
  socket.setEncoding('latin1').on('error', () => {})
  socket.write('220 sink ESMTP\r\n')
  socket.on('data', chunk => {
    received += chunk
    for (;;) {
      if (inContent) {
        const end = received.startsWith('.\r\n') ? 0 : received.indexOf('\r\n.\r\n') + 2
        if (end === 1) return
        keep(envelope, received.slice(0, end).replace(/^\.\./gm, '.'))
        received = received.slice(end + 3)
        inContent = false
        socket.write('250 2.0.0 Ok: queued\r\n')
        continue
      }
      const end = received.indexOf('\r\n')
      if (end < 0) return
      const line = received.slice(0, end)
      received = received.slice(end + 2)
      const [verb] = line.toUpperCase().split(/[ :]/)
      const address = /<([^>]*)>/.exec(line)?.[1] ?? ''
      if (verb === 'EHLO') socket.write('250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 52428800\r\n')
      else if (verb === 'MAIL') envelope = { from: address, to: [] }
      else if (verb === 'RCPT') envelope?.to.push(address)
      else if (verb === 'DATA') inContent = true
      if (verb === 'QUIT') return socket.end('221 2.0.0 Bye\r\n')
      if (verb !== 'EHLO') socket.write(verb === 'DATA' ? '354 Go on\r\n' : '250 2.0.0 Ok\r\n')
    }
  })
}).listen(1025)

function keep({ from, to }, content) {
  const header = content.split('\r\n\r\n')[0].replace(/\r\n[ \t]+/g, ' ')
  const field = name => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(header)?.[1] ?? ''
  messages.unshift({
    content,
    about: {
      ID: randomUUID(),
      MessageID: field('message-id').replace(/[<>]/g, ''),
      From: { Name: '', Address: from },
      To: to.map(Address => ({ Name: '', Address })),
      Subject: field('subject'),
      Created: new Date().toISOString(),
      Size: content.length,
      Read: false,
      Tags: [],
    },
  })
}

createHttp(({ method, url }, response) => {
  const { pathname, searchParams } = new URL(url ?? '/', 'http://sink')
  const json = body => response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  const [, id, raw] = /^\/api\/v1\/message\/([^/]+)(\/raw)?$/.exec(pathname) ?? []
  const one = messages.find(({ about }) => about.ID === id || (id === 'latest' && about === messages[0]?.about))
  if (pathname === '/livez' || pathname === '/readyz') return response.end('ok')
  if (pathname === '/') return response.end('A sink for tests in place of Mailpit.\n')
  if (one !== undefined) return raw ? response.end(one.content, 'latin1') : json({ ...one.about, Text: one.content })
  if (pathname === '/api/v1/info') return json({ Version: 'stand-in', Messages: messages.length })
  if (pathname === '/api/v1/messages' && method === 'DELETE') {
    messages = []
    return response.end('ok')
  }
  if (pathname === '/api/v1/messages') {
    const start = Number(searchParams.get('start') ?? 0)
    const shown = messages.slice(start, start + Number(searchParams.get('limit') ?? 50)).map(({ about }) => about)
    return json({
      total: messages.length,
      count: shown.length,
      messages_count: messages.length,
      start,
      messages: shown,
    })
  }
  response.writeHead(404).end('not found')
}).listen(HTTP)
