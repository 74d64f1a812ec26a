import { expect, it } from 'vitest'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'
import { recipientClaimsContract } from '../contract/recipient-claims.ts'
import { recipientListsContract } from '../contract/recipient-lists.ts'
import { recordStoreContract } from '../contract/record-store.ts'
import { embeddedHome } from './embedded-home.ts'

recordStoreContract(embeddedHome)
recipientClaimsContract(embeddedHome)
recipientListsContract(embeddedHome)

it('voids the claims of a process that is gone', async () => {
  const home = await embeddedHome()
  const message = acceptedMessage()
  const before = await home.open()
  await before.records.create(message, acceptedEvent())
  const claim = { claimant: 'gone', until: home.now() + 60_000 }
  await before.records.claim(message.queueId, ['user@example.com'], claim, home.now())
  await before.close()

  const { records, close } = await home.open()
  const mine = { ...claim, claimant: 'mine' }
  expect(await records.claim(message.queueId, ['user@example.com'], mine, home.now())).toEqual([
    { recipient: 'user@example.com' },
  ])
  await close()
  await home.dispose()
})
