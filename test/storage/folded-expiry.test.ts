// DynamoDB removes the story of an ordinary message by itself, for nothing: its only item says from when it may.
import { beforeEach, expect, test } from 'vitest'
import { RECORDS_TABLE } from '../../src/storage/aws-schema.ts'
import { useDynalite } from '../contract/dynamo-tables.ts'
import type { DynamoHome } from './dynamo-home.ts'
import { accept, delivering, end, itemsOf, mark, oneMessage, scanned, scanning, told, VERDICT } from './folded-story.ts'

useDynalite()

const DAY = 86_400_000
const KEEP = 30 * DAY

let home: DynamoHome
let queueId: string
beforeEach(async () => {
  ;({ home, queueId } = await oneMessage())
})

const expiries = async () => (await itemsOf(home, queueId)).map(item => item[RECORDS_TABLE.timeToLive])
const whenOver = (at: number) => Math.ceil((at + KEEP) / 1000)

async function delivered(keep: number, events = [VERDICT]) {
  const spool = home.make({ keep })
  await accept(spool, queueId)
  await scanned(spool, await scanning(spool, queueId), events)
  const delivery = await delivering(spool, queueId)
  await mark(spool, delivery, home.now())
  expect(await expiries()).not.toContainEqual(expect.anything())
  await end(spool, delivery)
  return spool
}

test('a message may go so long after its end, and what is told later goes with it', async () => {
  const spool = await delivered(KEEP)
  const over = whenOver(home.now())
  expect(await expiries()).toEqual([over])
  await home.advance(DAY)
  await spool.records.note(queueId, [told({ event: 'released', by: 'ann' })], [])
  expect(await expiries()).toEqual([over, over])
})

test('a story with events in items of their own stays until it is forgotten', async () => {
  const why = Array.from({ length: 600 }, (_, n) => n * 7919).join(' ')
  await delivered(KEEP, [told({ event: 'verdict', decision: 'deliver', why })])
  expect(await expiries()).toEqual([undefined, undefined])
})

test('a message that is kept for ever never goes', async () => {
  await delivered(0)
  expect(await expiries()).toEqual([undefined])
})
