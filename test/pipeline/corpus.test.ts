// Mails that other programs stumbled over: each goes in by SMTP and comes out with the same body, or is refused or set
// aside for a reason. A corpus of such mails beside the checkout is used where there is one, else our own samples.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { startGateway } from './gateway.ts'
import { sendOn } from './mail.ts'
import { withScanners } from './scanners.ts'

const CONNECTIONS = 4

const corpus = ['../../../shared/corpus', '../../local/mail']
  .map(path => fileURLToPath(new URL(path, import.meta.url)))
  .find(path => existsSync(path))!

const files = readdirSync(corpus, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && /\.(?:eml|txt|raw|msg)$/.test(entry.name))
  .map(entry => join(entry.parentPath, entry.name))

test('every mail of the corpus comes out as it went in', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), inject('rspamd')) })
  const queue = files.values()
  const accepted: { file: string; content: string; queueId: string }[] = []
  const unexpected: string[] = []
  async function sendSome() {
    const client = await greeted(gateway.port)
    for (const file of queue) {
      // Octets that SMTP cannot carry are not what this is about.
      const content = readFileSync(file, 'latin1')
        .replaceAll(/\r\n|[\r\n]/g, '\r\n')
        .replaceAll('\0', '')
      const { reply, queueId } = await sendOn(client, {
        content: Buffer.from(content, 'latin1'),
        parameters: 'BODY=8BITMIME',
      })
      if (queueId === '') unexpected.push(`${file}: ${reply}`)
      else accepted.push({ file, content, queueId })
    }
    client.hangUp()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, sendSome))
  expect(unexpected).toEqual([])

  const states = new Map<string, string>()
  for (const { file, queueId } of accepted) {
    const { recipients } = await gateway.settled(queueId, 'delivered', 'quarantined')
    states.set(file, recipients[0]!.state)
  }
  const delivered = (await gateway.maildir()).map(file => file.toString('latin1'))
  for (const { file, content, queueId } of accepted) {
    const copies = delivered.filter(text => text.includes(` id ${queueId}\r\n`))
    expect(copies.length, `${file} is ${states.get(file)}`).toBe(states.get(file) === 'delivered' ? 1 : 0)
    const whole = content.endsWith('\r\n') ? content : `${content}\r\n`
    const body = whole.slice(Math.max(0, whole.indexOf('\r\n\r\n')))
    expect(
      copies.every(copy => copy.endsWith(body)),
      file,
    ).toBe(true)
  }
  expect([...states.values()].filter(state => state === 'delivered').length).toBeGreaterThan(0)
  expect(await gateway.ledger()).toMatchObject({ accepted: files.length, imbalance: 0 })
})
