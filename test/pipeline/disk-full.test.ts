// A disk that is really full: a small file system of memory under the data directory, in a mount namespace of the
// gateway's own. Mail is refused for now, nothing is kept of it, and all goes on as soon as there is room.
import { mkdir, open, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startGateway, temporaryDirectory } from './gateway.ts'
import { mail, send } from './mail.ts'

const MEBIBYTE = 1024 * 1024
const full = /^451 4\.3\.1 /

test.each([
  { left: 0, what: 'nothing is left' },
  { left: 8 * MEBIBYTE, what: 'only the reserve is left' },
])('$what: 451 4.3.1, nothing kept, and mail is taken again once there is room', async ({ left }) => {
  const directory = await temporaryDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  await mkdir(join(directory, 'data'))
  const within = `exec unshare -rm sh -c 'mount -t tmpfs -o size=160m none "${directory}/data" && exec "$@"' sh "$@"`
  await using gateway = await startGateway({ directory, within, config: { limits: { disk_reserve: '128MB' } } })
  // The directory as the gateway sees it.
  const data = `/proc/${gateway.pid}/root${directory}/data`

  const filler = join(data, 'filler')
  const file = await open(filler, 'w')
  const { bavail, bsize } = await statfs(data)
  for (let room = bavail * bsize - left; room > 0; room -= MEBIBYTE) {
    await file.write(Buffer.alloc(Math.min(room, MEBIBYTE))).catch(() => {})
  }
  await file.close()

  for (const size of [1000, 50_000, 2 * MEBIBYTE]) {
    const { reply } = await send(gateway.port, { content: mail({ body: `${'x'.repeat(70)}\r\n`.repeat(size / 72) }) })
    expect(reply, `${size} octets`).toMatch(full)
  }
  const spooled = async () => (await readdir(data, { recursive: true })).filter(name => /[0-9A-Z]{20}/.test(name))
  await expect.poll(spooled).toEqual([])
  expect(await gateway.metric('elemta_messages_tempfailed_total{reason="room"}')).toBe(3)
  expect(await gateway.metric('elemta_messages_received_total')).toBe(0)

  await rm(filler)
  const contents = [mail(), mail({ body: `${'y'.repeat(70)}\r\n`.repeat(20_000) })]
  for (const content of contents) {
    // As any client does: again and again until it is taken.
    const { queueId } = await vi.waitUntil(async () => {
      const sent = await send(gateway.port, { content })
      return sent.code === 250 && sent
    }, 10_000)
    await gateway.log(line => line.event === 'delivered' && line.queueId === queueId)
  }
  const delivered = (await gateway.maildir()).map(String)
  expect(delivered).toHaveLength(2)
  expect(contents.filter(content => !delivered.some(each => each.endsWith(content)))).toEqual([])
  expect(await gateway.metric('elemta_messages_received_total')).toBe(2)
  expect(await gateway.stop()).toBe(0)
})
