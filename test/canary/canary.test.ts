// The canary in a whole gateway with the real scanners: it passes when all is well, says what is wrong when it is not,
// and whatever becomes of it, the figures of mail tell of mail alone and nothing of it stays.
import { expect, inject, test } from 'vitest'
import { freePort } from '../../local/embedded/port.ts'
import { type Gateway, startGateway } from '../pipeline/gateway.ts'
import { mail, send } from '../pipeline/mail.ts'
import { withScanners } from '../pipeline/scanners.ts'
import { clamdThatForgets } from './clamd-that-forgets.ts'

const clamav = inject('clamav')
const rspamd = inject('rspamd')
const canary = { interval: '1s', deadline: '1s' }
const PATIENT = { timeout: 15_000, interval: 50 }

const results = (gateway: Gateway, kind: string, result: string) =>
  gateway.metric(`elemta_canary_results_total{kind="${kind}",result="${result}"}`)

/** Resolves once a canary of this kind had this result. */
const seen = (gateway: Gateway, kind: string, result: string) =>
  expect.poll(() => results(gateway, kind, result), { ...PATIENT, message: `${kind} ${result}` }).toBeGreaterThan(0)

const allPassed = (gateway: Gateway) =>
  Promise.all(['clean', 'eicar', 'gtube'].map(kind => seen(gateway, kind, 'passed')))

/** Every counter and histogram of ours that is not the canary's own, and not at zero. */
async function countedAsMail({ opsPort }: Gateway): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()
  return text
    .split('\n')
    .filter(line => /^elemta_\w+_(total|count|sum)[{ ]/.test(line) && !line.startsWith('elemta_canary_'))
    .filter(line => !/ 0$/.test(line))
}

/** The canary's messages that are in no end state, and what is in quarantine. */
async function leftOver(gateway: Gateway): Promise<number> {
  const { quarantined, held, queued, imbalance } = await gateway.ledger()
  expect(imbalance).toBe(0)
  return quarantined + held + queued.incoming + queued.active + queued.deferred + queued.deadLetters
}

test('all kinds pass, quietly, and none of it counts as mail', async () => {
  await using gateway = await startGateway({ config: { ...withScanners(clamav, rspamd), canary } })
  await allPassed(gateway)
  expect(await countedAsMail(gateway)).toEqual([])
  await expect.poll(() => leftOver(gateway), PATIENT).toBe(0)
  expect(await gateway.metric('elemta_ledger_imbalance')).toBe(0)
  expect(await gateway.metric('elemta_canary_last_success_timestamp_seconds{kind="eicar"}')).toBeGreaterThan(1.7e9)
  expect(await gateway.metric('elemta_canary_duration_seconds_count{kind="gtube"}')).toBeGreaterThan(0)
  expect(await gateway.maildir()).toEqual([])
  const { accepted } = await gateway.ledger()
  expect(accepted).toBeGreaterThanOrEqual(3)
  const { stdout } = await gateway.elemta('trace', 'canary@canary.elemta.invalid')
  expect(stdout.match(/accepted/g)?.length ?? 0).toBeLessThan(accepted) // those that passed are forgotten
  // Mail beside it is counted as ever.
  const { queueId } = await send(gateway.port, { content: mail() })
  await gateway.settled(queueId, 'delivered')
  expect(await gateway.metric('elemta_messages_received_total')).toBe(1)
  await expect.poll(() => gateway.metric('elemta_messages_delivered_total')).toBe(1)
  expect(await gateway.metric('elemta_clamav_scans_total')).toBe(1)
  expect(gateway.logged('accepted')).toHaveLength(1)
})

test('a refusal before the 250 is as good, and counts no more as mail', async () => {
  const scanners = withScanners({ ...clamav, action: 'reject' }, { ...rspamd, action: 'reject' })
  await using gateway = await startGateway({ config: { ...scanners, scan: { wait: '20s' }, canary } })
  await allPassed(gateway)
  expect(await countedAsMail(gateway)).toEqual([])
  const { accepted, delivered } = await gateway.ledger()
  expect(delivered).toBe(accepted) // clean ones alone
})

test('what is discarded, or tagged, was recognised as well', async () => {
  const scanners = withScanners({ ...clamav, action: 'discard' }, { ...rspamd, action: 'tag' })
  await using gateway = await startGateway({ config: { ...scanners, canary } })
  await allPassed(gateway)
  expect(await countedAsMail(gateway)).toEqual([])
})

test('a clamd that has lost the signature is found out, and that it is back', async () => {
  await using clamd = await clamdThatForgets()
  await using gateway = await startGateway({ config: { ...withScanners(clamd.address), canary } })
  await seen(gateway, 'eicar', 'passed')
  await clamd.forget()
  await seen(gateway, 'eicar', 'wrong')
  const failed = await gateway.log(line => line.event === 'canary-failed')
  expect(failed).toMatchObject({ kind: 'eicar', result: 'wrong', why: expect.stringContaining('delivered') })
  const { checks } = (await gateway.readyz()).body
  expect(checks).toContainEqual(expect.objectContaining({ name: 'canary-eicar', state: 'warning' }))
  await clamd.remember()
  expect(await gateway.log(line => line.event === 'canary-recovered')).toMatchObject({ kind: 'eicar' })
  expect(await results(gateway, 'clean', 'wrong')).toBe(0)
  expect(await gateway.metric('elemta_canary_sent_total{kind="gtube"}')).toBe(0) // there is no rspamd
})

test('without the scanner that mail must pass nothing gets through: missing, and not left in the queue', async () => {
  const nobody = { host: '127.0.0.1', port: await freePort() }
  await using gateway = await startGateway({ config: { ...withScanners({ ...nobody, on_error: 'defer' }), canary } })
  await Promise.all(['clean', 'eicar'].map(kind => seen(gateway, kind, 'missing')))
  expect(await gateway.metric('elemta_canary_last_success_timestamp_seconds{kind="clean"}')).toBe(0)
  expect(gateway.logged('canary-failed').map(({ kind }) => kind)).toEqual(expect.arrayContaining(['clean', 'eicar']))
  await gateway.stop('SIGKILL')
  // At most one round is left, which the next run clears away.
  expect(await leftOver(gateway)).toBeLessThanOrEqual(2)
  await using second = await startGateway({ directory: gateway.directory, config: { ...withScanners(clamav), canary } })
  await seen(second, 'clean', 'passed')
  await expect.poll(() => leftOver(second), PATIENT).toBe(0)
  expect(await countedAsMail(second)).toEqual([])
})

test('a scanner that fails open is no detector: wrong, however the message is marked', async () => {
  const nobody = { host: '127.0.0.1', port: await freePort() }
  await using gateway = await startGateway({ config: { ...withScanners({ ...nobody, on_error: 'tag' }), canary } })
  await seen(gateway, 'eicar', 'wrong')
  await seen(gateway, 'clean', 'passed')
})
