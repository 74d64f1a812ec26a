// A disk that fills up, and mail for which there is no room.
import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from '../fault.ts'
import type { Stack } from '../stack.ts'

const MEBIBYTE = 1024 * 1024

export const DISK_FAULTS: readonly Fault[] = [
  {
    what: 'the disk is filled to 93 percent',
    stack: 'instance',
    proves: [{ alert: 'DiskSpaceLow', severity: 'warning' }],
    inject: stack => fillDisk(stack, 0.07),
    heal: emptyDisk,
  },
  {
    what: 'the disk is filled to 97 percent, which is more than disk_reserve allows, while mail comes',
    stack: 'instance',
    proves: [
      { alert: 'DiskSpaceLow', severity: 'critical' },
      { alert: 'BackPressure', severity: 'critical', labels: { reason: 'disk' } },
      { alert: 'AcceptErrorBudgetBurn', severity: 'critical' },
      { alert: 'AcceptErrorBudgetBurn', severity: 'warning', afterHealing: true },
    ],
    async inject(stack) {
      await fillDisk(stack, 0.03)
      stack.repeat(500, () => stack.send('clean'))
    },
    heal: emptyDisk,
  },
]

const fillerOf = ({ gateway }: Stack) => join(gateway.dataDir, 'filler')

/** Leaves this share of the gateway's small disk free. */
async function fillDisk(stack: Stack, free: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(stack.gateway.dataDir)
  const file = await open(fillerOf(stack), 'w')
  try {
    for (let room = (bavail - blocks * free) * bsize; room > 0; room -= MEBIBYTE) {
      await file.write(Buffer.alloc(Math.min(room, MEBIBYTE)))
    }
  } finally {
    await file.close()
  }
}

async function emptyDisk(stack: Stack): Promise<void> {
  await rm(fillerOf(stack), { force: true })
}
