// What a sick rspamd, or something else on its port, may answer: never read as a score.
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createRspamd } from '../../src/scan/rspamd.ts'
import { readCheckReply } from '../../src/scan/rspamd-reply.ts'
import { accepted, bigMail, mail, stored, whole } from './messages.ts'
import { afterRequest, standIn } from './stand-in.ts'

const CONTENT = mail('hello')
const metrics = createMetrics()
const at = (port: number, timeout = 5000) => createRspamd({ host: '127.0.0.1', port, timeout, metrics })
const scan = (port: number, timeout?: number) => at(port, timeout).scan(accepted(), whole(CONTENT))

const SCORE = {
  is_skipped: false,
  score: 1.5,
  required_score: 15,
  action: 'no action',
  symbols: { R_SPF_ALLOW: { name: 'R_SPF_ALLOW', score: -0.2 }, MIME_GOOD: { name: 'MIME_GOOD', score: -0.1 } },
}
const SCORED = { scanner: 'rspamd', kind: 'scored', score: 1.5, requiredScore: 15, action: 'no action' }

function http(body: string, { status = '200 OK', length = Buffer.byteLength(body) } = {}): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`
}

/** What becomes of a message whose scan ends with this answer and the connection's end. */
async function findingFor(answer: string) {
  await using rspamd = await standIn(socket => afterRequest(socket, CONTENT.subarray(-20), () => socket.end(answer)))
  return await scan(rspamd.port)
}

describe('answers', () => {
  test('a whole one is a score', async () => {
    const symbols = { R_SPF_ALLOW: -0.2, MIME_GOOD: -0.1 }
    expect(await findingFor(http(JSON.stringify(SCORE)))).toEqual({ ...SCORED, symbols, headers: [] })
    const { length } = JSON.stringify(SCORE)
    const withoutLength = http(JSON.stringify(SCORE)).replace(`Content-Length: ${length}\r\n`, '')
    expect(await findingFor(withoutLength)).toMatchObject(SCORED)
  })

  test.each([
    ['500', http('{"error":"invalid command"}', { status: '500 invalid command' }), 'answered 500 invalid command'],
    ['401', http('{"error":"Unauthorized"}', { status: '401 Unauthorized' }), 'asks for a password (401)'],
    ['a redirection', http(JSON.stringify(SCORE), { status: '302 Found' }), 'answered 302'],
    ['no content', http('', { status: '204 No Content' }), 'answered 204'],
    ['broken JSON', http('{"is_skipped":false,"score":1.5,'), 'answered no JSON'],
    ['an empty body', http(''), 'answered no JSON'],
    ['a body that breaks off', http(JSON.stringify(SCORE), { length: 5000 }), 'broke off in its answer'],
    ['a head that breaks off', 'HTTP/1.1 200 OK\r\nContent-Le', 'answered no HTTP'],
    ['an SMTP server', '220 mx.example.com ESMTP\r\n', 'answered no HTTP'],
    ['nothing', '', 'closed the connection without an answer'],
    ['null', http('null'), 'answered without a whole score'],
    ['a list', http('[]'), 'answered without a whole score'],
  ])('%s is no score', async (_name, answer, detail) => {
    const finding = { scanner: 'rspamd', kind: 'could-not-scan', failure: 'protocol' }
    const expected = { ...finding, detail: expect.stringMatching(/^rspamd at 127\.0\.0\.1:\d+ /) }
    const found = await findingFor(answer)
    expect(found).toEqual(expected)
    expect(found).toMatchObject({ detail: expect.stringContaining(detail) })
  })

  test('413 is too large', async () => {
    expect(await findingFor(http('', { status: '413 Too Large' }))).toMatchObject({ failure: 'too-large' })
  })

  test.each(['is_skipped', 'score', 'required_score', 'action', 'symbols'])('one without %s is no score', async key => {
    for (const value of [undefined, null, 'NaN', {}, []]) {
      if ((key === 'action' && value === 'NaN') || (key === 'symbols' && JSON.stringify(value) === '{}')) continue
      const body = JSON.stringify({ ...SCORE, [key]: value })
      expect(read(body)).toMatchObject({ kind: 'could-not-scan', failure: 'protocol' })
    }
  })

  test('an endless one is cut off', async () => {
    await using rspamd = await standIn(socket => {
      socket.resume()
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      const more = () => void (socket.destroyed || socket.write(Buffer.alloc(1 << 20), () => setImmediate(more)))
      more()
    })
    expect(await scan(rspamd.port)).toMatchObject({ failure: 'protocol' })
  })
})

/** The finding for a reply with this body. */
function read(body: string) {
  return readCheckReply(Buffer.from(http(body)), '127.0.0.1:11333', 100)
}

describe('a scan that rspamd did not do', () => {
  test('for greylisting or a rate limit is none', () => {
    const greylisted = { GREYLIST: { name: 'GREYLIST', score: 0, options: ['greylisted', 'too early'] } }
    for (const symbols of [greylisted, {}]) {
      const body = JSON.stringify({ ...SCORE, score: 0, action: 'soft reject', symbols })
      expect(read(body)).toMatchObject({ kind: 'could-not-scan', detail: expect.stringContaining('greylist') })
    }
  })

  test('is not meant by a soft reject after one', () => {
    expect(read(JSON.stringify({ ...SCORE, action: 'soft reject' }))).toMatchObject({ kind: 'scored' })
  })

  test('because its owner exempts the message, counts', () => {
    expect(read(JSON.stringify({ ...SCORE, is_skipped: true, score: 0, symbols: {} }))).toMatchObject({
      kind: 'scored',
    })
  })
})

test('header fields come in three shapes; what is none of them is left out', () => {
  const add_headers = {
    'X-One': 'plain',
    'X-Two': { value: 'with order', order: 1 },
    'X-Three': [{ value: 'first', order: 0 }, { value: 'second', order: 1 }, 'third'],
    'X-Four': { order: 1 },
    'X-Five': 5,
  }
  expect(read(JSON.stringify({ ...SCORE, milter: { add_headers } }))).toMatchObject({
    headers: [
      { name: 'X-One', value: 'plain' },
      { name: 'X-Two', value: 'with order' },
      { name: 'X-Three', value: 'first' },
      { name: 'X-Three', value: 'second' },
      { name: 'X-Three', value: 'third' },
    ],
  })
})

describe('connections', () => {
  test('no answer is a timeout', async () => {
    await using rspamd = await standIn(socket => void socket.resume())
    expect(await scan(rspamd.port, 100)).toMatchObject({ failure: 'timeout' })
  })

  test('a peer that reads nothing is a timeout', async () => {
    await using rspamd = await standIn(() => {})
    const finding = await at(rspamd.port, 200).scan(accepted(), stored(bigMail(20_000_000)))
    expect(finding).toMatchObject({ failure: 'timeout' })
  })

  test('an answer before the end of the message is read', async () => {
    await using rspamd = await standIn(socket => {
      socket.once('data', () => socket.pause().end(http('', { status: '413 Too Large' })))
      socket.resume()
    })
    expect(await at(rspamd.port).scan(accepted(), stored(bigMail(5_000_000)))).toMatchObject({ failure: 'too-large' })
  })

  test('a score before the end of the message is not believed', async () => {
    await using rspamd = await standIn(socket => {
      socket.once('data', () => socket.pause().end(http(JSON.stringify(SCORE))))
      socket.resume()
    })
    expect(await at(rspamd.port).scan(accepted(), stored(bigMail(10_000_000)))).toMatchObject({ failure: 'protocol' })
  })

  test('one that is reset without an answer is tried once more', async () => {
    await using rspamd = await standIn((socket, nth) => {
      if (nth === 1) socket.resetAndDestroy()
      else afterRequest(socket, CONTENT.subarray(-20), () => socket.end(http(JSON.stringify(SCORE))))
    })
    expect(await scan(rspamd.port)).toMatchObject(SCORED)
    expect(rspamd.connections()).toBe(2)
  })

  test('the password is sent and nothing else is: the request is whole and clean', async () => {
    let request = ''
    await using rspamd = await standIn(socket => {
      socket.on('data', chunk => (request += chunk.toString('latin1')))
      afterRequest(socket, CONTENT.subarray(-20), () => socket.end(http(JSON.stringify(SCORE))))
    })
    const { port } = rspamd
    const controller = createRspamd({
      host: '127.0.0.1',
      port,
      password: 'q1',
      hostname: 'mx.example.com',
      timeout: 5000,
      metrics,
    })
    const message = accepted({
      client: { helo: 'mx\r\nIP: 10.0.0.1', user: 'jörg' },
      envelope: { reversePath: 'j%@good.test' },
      recipients: ['a@x.test', '"b c"@x.test'],
    })
    expect(await controller.scan(message, whole(CONTENT))).toMatchObject(SCORED)
    expect(request.split('\r\n\r\n', 1)[0]?.split('\r\n')).toEqual([
      'POST /checkv2 HTTP/1.0',
      'Host: 127.0.0.1',
      'IP: 203.0.113.10',
      'Helo: mx%0D%0AIP: 10.0.0.1',
      'Hostname: unknown',
      'From: <j%@good.test>',
      'Rcpt: <a@x.test>',
      'Rcpt: <"b c"@x.test>',
      'Queue-Id: TESTQUEUEID',
      'User: j%C3%B6rg',
      'MTA-Name: mx.example.com',
      'Password: q1',
      `Content-Length: ${CONTENT.length}`,
    ])
    expect(request.endsWith(CONTENT.toString('latin1'))).toBe(true)
  })
})
