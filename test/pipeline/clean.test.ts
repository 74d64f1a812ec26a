// The main job: a clean message comes in by SMTP, is scanned by the real scanners and delivered, and everything that
// an operator can ask tells the same story.
import { expect, inject, test } from 'vitest'
import { startGateway } from './gateway.ts'
import { mail, readMail, send } from './mail.ts'
import { withScanners } from './scanners.ts'

test('a clean message is delivered byte for byte, with what we know about it in front', async () => {
  await using gateway = await startGateway({ config: withScanners(inject('clamav'), inject('rspamd')) })
  const body =
    'Hello Bob,\r\n\r\n.a line that begins with a dot\r\n..and one with two\r\n \r\n\ttabs\tand trailing blanks  \r\n'
  const content = mail({
    header: ['Received: from elsewhere by relay.sender.example; Sun, 22 Nov 2026 00:00:00 +0000'],
    body,
  })
  const { reply, queueId } = await send(gateway.port, { content })
  expect(reply).toMatch(/^250 2\.0\.0 Ok: queued as [0-9A-Z]{20}$/)

  const record = await gateway.settled(queueId, 'delivered')
  const [file, ...others] = await gateway.maildir()
  expect(others).toEqual([])
  const delivered = readMail(file!)
  expect(delivered.body).toEqual(Buffer.from(body))
  expect(file!.toString().endsWith(content)).toBe(true)
  expect(delivered.field('Return-Path')).toEqual(['<alice@sender.example>'])
  expect(delivered.field('Delivered-To')).toEqual(['bob@example.com'])
  expect(delivered.field('Received')).toHaveLength(2)
  expect(delivered.field('Received')[0]).toMatch(
    new RegExp(
      `^from client\\.example \\(\\[127\\.0\\.0\\.1\\]\\)\\s+by mx\\.example\\.com with ESMTP id ${queueId}\\s+for <bob@example\\.com>;\\s+.* \\+0000$`,
    ),
  )
  expect(delivered.field('X-Virus-Scanned')).toEqual(['ClamAV'])
  expect(delivered.field('X-Virus-Status')).toEqual(['Clean'])
  expect(delivered.field('X-Spam-Status')).toEqual([expect.stringMatching(/^No, score=-?\d+\.\d\d required=15\.00$/)])
  expect(delivered.field('X-Spam-Flag')).toEqual([])

  expect(record.events.map(({ event }) => event)).toEqual(['accepted', 'scanned', 'verdict', 'delivered'])

  const byId = await gateway.elemta('trace', queueId)
  expect(byId.code).toBe(0)
  expect(byId.stdout).toMatch(/scanned in \d\.\d{3} s: ClamAV clean; Rspamd -?\d+\.\d of 15\.0, no action/)
  expect(byId.stdout).toMatch(/verdict: deliver/)
  expect(byId.stdout).toContain(`delivered to ${gateway.maildirPath}/new/`)
  expect(byId.stdout).toMatch(/now +delivered: bob@example\.com/)
  const messageId = delivered.field('Message-ID')[0]!
  for (const asked of [messageId, 'bob@example.com', 'ALICE@sender.example', queueId.toLowerCase()]) {
    expect((await gateway.elemta('trace', asked)).stdout, asked).toBe(byId.stdout)
  }

  const ledger = await gateway.elemta('ledger', '--json')
  expect(ledger.code).toBe(0)
  expect(JSON.parse(ledger.stdout)).toMatchObject({ accepted: 1, delivered: 1, imbalance: 0 })

  for (const [name, value] of Object.entries({
    elemta_connections_total: 1,
    elemta_messages_received_total: 1,
    elemta_recipients_accepted_total: 1,
    elemta_messages_delivered_total: 1,
    'elemta_delivery_successes_total{route="default"}': 1,
    elemta_clamav_scans_total: 1,
    elemta_clamav_virus_detected_total: 0,
    elemta_rspamd_scans_total: 1,
    elemta_rspamd_ham_total: 1,
    'elemta_rspamd_actions_total{action="no action"}': 1,
    'elemta_verdicts_total{decision="deliver"}': 1,
    elemta_security_scan_latency_seconds_count: 1,
    elemta_clamav_scan_duration_seconds_count: 1,
    elemta_rspamd_scan_duration_seconds_count: 1,
    elemta_accept_duration_seconds_count: 1,
    'elemta_delivery_duration_seconds_count{route="default"}': 1,
    elemta_delivery_first_attempt_delay_seconds_count: 1,
    elemta_queue_processing_time_seconds_count: 1,
    elemta_message_size_bytes_sum: content.length,
    'elemta_queue_size{queue_type="incoming"}': 0,
    'elemta_queue_size{queue_type="active"}': 0,
    'elemta_scanner_up{scanner="clamav"}': 1,
    'elemta_scanner_up{scanner="rspamd"}': 1,
    elemta_ledger_imbalance: 0,
    elemta_unscanned_messages_total: 0,
  })) {
    expect(await gateway.metric(name), name).toBe(value)
  }
  expect((await gateway.readyz()).status).toBe(200)
})
