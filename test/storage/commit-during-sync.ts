// Writes something durable, something provisional while the sync for that is on, and something provisional that nobody
// waits for; says on stdout what was committed, and stays until it is killed. Argument: data directory.
import { openEmbedded } from '../../src/backends.ts'
import { acceptedEvent, acceptedMessage } from '../contract/home.ts'

const backends = await openEmbedded({ dataDir: process.argv[2] ?? '', now: Date.now })
const { records, provisionally } = backends
const say = (what: string) => process.stdout.write(`${what}\n`)
const provisional = (queueId: string) =>
  provisionally(() => records.note(queueId, [], [{ recipient: 'user@example.com', state: 'delivered' }]))

await records.create(acceptedMessage({ queueId: 'first' }), acceptedEvent())
const durable = records.create(acceptedMessage({ queueId: 'second' }), acceptedEvent()).then(() => say('synced'))
while ((await records.get('second')) === undefined) await new Promise(resolve => setImmediate(resolve))
say('committed')
await provisional('first')
say('committed during the sync')
await durable
await provisional('second')
say('committed for nobody')
setInterval(() => {}, 60_000)
