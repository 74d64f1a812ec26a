// Large mail: it streams through every stage and arrives byte for byte; memory stays flat; what unpacks to much more
// than it is neither stops the scanners nor passes unseen.
import { expect, inject, test } from 'vitest'
import { startGateway } from './gateway.ts'
import { mailWithAttachment, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'
import { zip } from './zip.ts'

const MEBIBYTE = 1024 * 1024

test('20 MB are scanned and delivered byte for byte, and memory stays flat meanwhile', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), inject('rspamd')) })
  const memory = async () =>
    (await gateway.metric('nodejs_heap_size_used_bytes')) + (await gateway.metric('nodejs_external_memory_bytes'))
  const content = mailWithAttachment('big.bin', noise(15 * MEBIBYTE))
  expect(content.length).toBeGreaterThan(20_000_000)
  const before = await memory()
  let most = before
  let over = false
  const watching = (async () => {
    while (!over) most = Math.max(most, await memory())
  })()
  const { code, queueId } = await send(gateway.port, { content })
  expect(code).toBe(250)
  const record = await gateway.settled(queueId, 'delivered', 'quarantined', 'held')
  over = true
  await watching
  expect(record.recipients[0]!.state).toBe('delivered')
  // What waits for the garbage collection counts, too.
  expect(most - before).toBeLessThan(2 * content.length)
  const [file] = await gateway.maildir()
  expect(readMail(file!).body.equals(readMail(Buffer.from(content)).body)).toBe(true)
  expect(readMail(file!).field('X-Virus-Status')).toEqual(['Clean'])
})

test('a zip bomb ends as a finding or as clean, and mail behind it goes on', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), inject('rspamd')) })
  const zeros = Buffer.alloc(150 * MEBIBYTE)
  const bomb = zip('a.zip', zip('zeros', zeros))
  const { queueId } = await send(gateway.port, { content: mailWithAttachment('bomb.zip', bomb) })
  const { queueId: next } = await send(gateway.port, { content: mailWithAttachment('a.txt', Buffer.from('a')) })
  await gateway.settled(next, 'delivered')
  const { recipients } = await gateway.settled(queueId, 'delivered', 'quarantined')
  expect(recipients).toHaveLength(1)
  expect(await gateway.ledger()).toMatchObject({ accepted: 2, imbalance: 0 })
})

/** Octets that no compression makes smaller, the same every time. */
function noise(size: number): Buffer {
  const octets = Buffer.alloc(size)
  let state = 1
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    octets.writeUInt32LE(state, at)
  }
  return octets
}
