// A message for the eyes of an operator: everything of it can be read, and nothing of it does anything.
import { expect, test } from 'vitest'
import { partsOfMessage } from '../../src/spool/message-parts.ts'
import { viewMessage } from '../../src/spool/message-view.ts'

const view = (...lines: string[]) => partsOfMessage(Buffer.from(lines.join('\r\n')))
const html = (text: string) => view('Content-Type: text/html', '', text).parts[0]!.text

const LETTER = [
  'From: =?utf-8?B?SsO2cmc=?= <joerg@sender.example>',
  'Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?q?_aus?=',
  ' Wien',
  'Content-Type: multipart/mixed; boundary="=_a"',
  '',
  'a preamble that nobody sees',
  '--=_a',
  'Content-Type: multipart/alternative; boundary==_b',
  '',
  '--=_b',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=FC=DFe und =',
  'mehr',
  '--=_b',
  'Content-Type: text/html; charset=utf-8',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('<p>Gr&uuml;&#223;e <a href="http://evil.example/">bank.example</a></p>').toString('base64'),
  '--=_b--',
  '--=_a',
  "Content-Type: application/zip; name*=utf-8''r%C3%A9sum%C3%A9.zip",
  'Content-Disposition: attachment',
  'Content-Transfer-Encoding: base64',
  '',
  'UEsDBA==',
  '--=_a',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  '',
  'inner text',
  '--=_a--',
]

test('header, structure and text are those that were sent', () => {
  const { header, parts, notes } = view(...LETTER)
  expect(header.slice(0, 2)).toEqual([
    { name: 'From', value: 'Jörg <joerg@sender.example>' },
    { name: 'Subject', value: 'Grüße aus Wien' },
  ])
  expect(parts).toMatchObject([
    { path: '', type: 'multipart/mixed' },
    { path: '1', type: 'multipart/alternative' },
    { path: '1.1', type: 'text/plain', charset: 'iso-8859-1', text: 'Grüße und mehr' },
    { path: '1.2', type: 'text/html', encoding: 'base64', text: 'Gr&uuml;ße bank.example <http://evil.example/>' },
    { path: '2', type: 'application/zip', filename: 'résumé.zip', size: 8 },
    { path: '3', type: 'message/rfc822' },
    { path: '3.1', type: 'text/plain', text: 'inner text' },
  ])
  expect(notes).toEqual([])
})

test.each<[what: string, sent: string, seen: string]>([
  [
    'where links really go',
    'x <a class=y href=http://evil.example>https://bank.example</a>',
    'x https://bank.example <http://evil.example>',
  ],
  ['images', '<img src="http://track.example/1.gif">', '[img http://track.example/1.gif]'],
  ['forms', '<form action="http://evil.example/">Password</form>', '[form http://evil.example/]Password'],
  ['no scripts and no styles', 'a<script>alert("<b>")</script>b<STYLE>p{}</STYLE>c', 'abc'],
  ['no comments', 'a<!-- <b> -->b', 'ab'],
  ['what a style hides', '<p style="display:none">hidden</p>', 'hidden'],
  ['markup that is written as text', '&lt;script&gt;', '<script>'],
  ['control characters of entities', '&#27;[2J&#x202e;', '\\u{1b}[2J\\u{202e}'],
  ['tags that never end', 'a <b', 'a <b'],
])('HTML is text: %s', (_, sent, seen) => {
  expect(html(sent)).toBe(seen)
})

test('nothing steers the terminal, in no place', () => {
  const evil = '\x1b]0;owned\x07\x9b2J\u202e\u200b\u0000'
  const { header, parts } = view(
    `Subject: ${evil}`,
    `X-B: =?utf-8?b?${Buffer.from(evil).toString('base64')}?=`,
    `Content-Type: text/plain; name="${evil}"; charset=utf-8`,
    '',
    `${evil}\r\x1b[31mred`,
  )
  const seen = JSON.stringify([header, parts]).replaceAll('\\\\u', 'U').replaceAll('\\n', '')
  // JSON itself escapes only part of it.
  expect(seen).not.toMatch(/[^\P{C}]|\\u/u)
  expect(parts[0]?.text).toContain('\\u{1b}]0;owned\\u{7}')
})

test.each<[what: string, content: () => Buffer]>([
  ['nothing', () => Buffer.alloc(0)],
  ['a header without a body', () => Buffer.from('Subject: x\r\n')],
  ['no header', () => Buffer.from('\r\nbody')],
  ['octets', () => Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919) % 256))],
  ['a boundary that never comes', () => Buffer.from('Content-Type: multipart/mixed; boundary=x\r\n\r\nbody')],
  ['a boundary of its own', () => Buffer.from('Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\n--\r\n')],
  ['an unknown charset', () => Buffer.from('Content-Type: text/plain; charset=klingon\r\n\r\nbody')],
])('%s can be looked at', async (_, content) => {
  const octets = content()
  const { notes } = await viewMessage(contentOf(octets))
  expect(notes).toEqual([])
})

const contentOf = (octets: Buffer) => ({
  size: octets.length,
  async *chunks() {
    yield octets
  },
})

test.each<[what: string, content: () => string]>([
  ['many parts', () => `Content-Type: multipart/mixed; boundary=x\r\n\r\n${'--x\r\n\r\na\r\n'.repeat(100_000)}`],
  [
    'parts in parts',
    () =>
      Array.from({ length: 5000 }, (_, n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`).join(
        '',
      ),
  ],
  ['messages in messages', () => 'Content-Type: message/rfc822\r\n\r\n'.repeat(50_000)],
  ['a header without end', () => 'X: y\r\n'.repeat(500_000)],
  ['a long field', () => `Subject: ${'=?utf-8?q?a?= '.repeat(200_000)}\r\n\r\n`],
  ['parameters', () => `Content-Type: text/plain${';a="'.repeat(300_000)}\r\n\r\n`],
  ['tags', () => `Content-Type: text/html\r\n\r\n${'<'.repeat(1_000_000)}`],
  ['tags with attributes', () => `Content-Type: text/html\r\n\r\n${`<a ${'href '.repeat(2000)}>`.repeat(100)}`],
  ['scripts', () => `Content-Type: text/html\r\n\r\n${'<script>'.repeat(100_000)}`],
  ['comments', () => `Content-Type: text/html\r\n\r\n${'<!--'.repeat(200_000)}`],
  ['entities', () => `Content-Type: text/html\r\n\r\n${'&#'.repeat(500_000)}`],
  ['a long text', () => `Subject: x\r\n\r\n${'word '.repeat(2_000_000)}`],
])('however much there is of it: %s', async (_, content) => {
  const { header, parts, notes } = await viewMessage(contentOf(Buffer.from(content())))
  expect(JSON.stringify({ header, parts }).length).toBeLessThan(1_000_000)
  expect(notes.join()).not.toContain('cannot be shown')
})

test('a message that cannot be read in time is told as that', async () => {
  const { notes, parts } = await viewMessage(contentOf(Buffer.from('Subject: x\r\n\r\nbody')), 0)
  expect(parts).toEqual([])
  expect(notes).toEqual(['the message cannot be shown: it took too long'])
})
