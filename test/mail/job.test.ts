import { expect, test } from 'vitest'
import { deliveryJobId, nextJobId, type ScanJob, splitJobId } from '../../src/mail/job.ts'

const job = (id: string, attempt: number): ScanJob => ({ kind: 'scan', id, queueId: 'Q', recipients: [], attempt })

test('jobs of one message never come to have the same id, however often it was taken apart', () => {
  const whole = job('Q/scan/2', 2)
  const apart = job(splitJobId(whole, 'x1'), 2)
  const again = job(splitJobId(apart, 'x2'), 2)
  expect([apart.id, again.id]).toEqual(['Q/scan/2/x1', 'Q/scan/2/x2'])
  expect([whole, apart, again].map(nextJobId)).toEqual(['Q/scan/3', 'Q/scan/3/x1', 'Q/scan/3/x2'])
  expect([whole, apart, again].map(deliveryJobId)).toEqual(['Q/delivery/1', 'Q/delivery/1/x1', 'Q/delivery/1/x2'])
})
