// What a recipient's mail program is told about SPF, DKIM and DMARC: by us, in our name, and by nobody else.
import { expect, test } from 'vitest'
import { dial } from '../ingress/dialogue.ts'
import { createDkimKey } from '../scan/detection/dkim.ts'
import { realRspamd } from '../scan/real-daemons.ts'
import { startGateway } from './gateway.ts'
import { mail, readMail, sendOn } from './mail.ts'
import { withScanners } from './scanners.ts'

const FORGED = 'Authentication-Results: mx.example.com; spf=pass; dkim=pass; dmarc=pass (forged)'
const FOREIGN = 'Authentication-Results: mx.elsewhere.example; spf=pass'

test('every delivered message carries our results, and forged ones in our name are gone', async () => {
  const key = createDkimKey('sender.example', 's1')
  const zones = `  local-data: 'sender.example. 60 IN TXT "v=spf1 ip4:203.0.113.10 -all"'
  local-data: "sender.example. 60 IN A 203.0.113.10"
  local-data: '_dmarc.sender.example. 60 IN TXT "v=DMARC1; p=none"'
${key.zone}`
  const rspamd = await realRspamd({ zones })
  const scanner = { host: rspamd.host, port: rspamd.port }
  try {
    await using gateway = await startGateway({
      config: { ...withScanners(undefined, scanner), ingress: { proxy_protocol: ['127.0.0.1'] } },
    })
    const send = async (client: string, content: string | Buffer) => {
      const session = dial(gateway.port)
      session.send(`PROXY TCP4 ${client} 198.51.100.1 4321 25\r\n`)
      await session.reply()
      await session.say('EHLO mx.sender.example')
      const { queueId } = await sendOn(session, { content })
      session.hangUp()
      await gateway.settled(queueId, 'delivered')
      const files = await gateway.maildir()
      const delivered = files.map(readMail).find(({ header }) => header.includes(queueId))!
      return delivered.field('Authentication-Results')
    }

    const honest = await send('203.0.113.10', key.sign(Buffer.from(mail({ header: [FORGED, FOREIGN] }))))
    expect(honest).toHaveLength(2)
    expect(honest[0]).toMatch(/^mx\.example\.com;/)
    expect(honest[0]).toMatch(/spf=pass .*smtp\.mailfrom=alice@sender\.example/)
    expect(honest[0]).toMatch(/dkim=pass header\.d=sender\.example header\.s=s1/)
    expect(honest[0]).toMatch(/dmarc=pass .*header\.from=sender\.example/)
    expect(honest[1]).toBe('mx.elsewhere.example; spf=pass')

    const forger = await send('198.51.100.7', mail({ header: [FORGED] }))
    expect(forger).toHaveLength(1)
    expect(forger[0]).toMatch(/^mx\.example\.com;(?=.*spf=fail)(?=.*dkim=none)(?=.*dmarc=fail)/)
  } finally {
    await rspamd.stop()
  }
})
