// Mails that other programs stumbled over: each goes in by SMTP and comes out with the same body, or is refused or set
// aside for a reason.
import { expect, inject, test } from 'vitest'
import { greeted } from '../ingress/dialogue.ts'
import { corpusMails } from './corpus.ts'
import { startGateway } from './gateway.ts'
import { sendOn } from './mail.ts'
import { withScanners } from './scanners.ts'

const CONNECTIONS = 4

const mails = corpusMails()

test('every mail of the corpus comes out as it went in', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), inject('rspamd')) })
  const queue = mails.values()
  const accepted: { file: string; content: Buffer; queueId: string }[] = []
  const unexpected: string[] = []
  async function sendSome() {
    const client = await greeted(gateway.port)
    for (const { file, content } of queue) {
      const { reply, queueId } = await sendOn(client, { content, parameters: 'BODY=8BITMIME' })
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
  const delivered = await gateway.maildir()
  for (const { file, content, queueId } of accepted) {
    const copies = delivered.filter(copy => copy.includes(` id ${queueId}\r\n`))
    expect(copies.length, `${file} is ${states.get(file)}`).toBe(states.get(file) === 'delivered' ? 1 : 0)
    const body = content.subarray(Math.max(0, content.indexOf('\r\n\r\n')))
    expect(
      copies.every(copy => copy.subarray(-body.length || copy.length).equals(body)),
      file,
    ).toBe(true)
  }
  expect([...states.values()].filter(state => state === 'delivered').length).toBeGreaterThan(0)
  expect(await gateway.ledger()).toMatchObject({ accepted: mails.length, imbalance: 0 })
})
