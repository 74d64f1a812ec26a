// A redis of our own for rspamd: on a private port of 127.0.0.1, with a password that is new at every start.
// What rspamd learned is kept in an append-only file (at most the last second is lost), unless it is `ephemeral`.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Log } from '../../src/platform/log.ts'
import { type Child, startChild } from './child.ts'
import { makeHome, makeOwnDirectory, writeConfiguration } from './home.ts'
import { freePort } from './port.ts'
import { redisAnswers } from './probe.ts'
import { accountFor, findProgram } from './program.ts'

export type Redis = Child & { port: number; password: string }
export type RedisOptions = {
  dir: string
  ephemeral?: boolean | undefined
  signal?: AbortSignal | undefined
  log: Log
  searchPath?: string | undefined
}

/** Starts redis with its files in `<dir>/redis`. Throws `MissingProgram` or `ChildFailed`. */
export async function startRedis({ dir, ephemeral = false, signal, log, searchPath }: RedisOptions): Promise<Redis> {
  const program = findProgram('redis-server', 'redis-server', searchPath)
  const account = accountFor('redis')
  const home = makeHome(dir, 'redis', account)
  const port = await freePort()
  const password = randomBytes(24).toString('hex')
  const configuration = `bind 127.0.0.1
port ${port}
requirepass ${password}
dir "${makeOwnDirectory(join(home, 'data'), account)}"
save ""
appendonly ${ephemeral ? 'no' : 'yes'}
appendfsync everysec
maxmemory 512mb
maxmemory-policy volatile-ttl
loglevel warning
`
  const child = await startChild({
    name: 'redis',
    program,
    args: [writeConfiguration(join(home, 'redis.conf'), configuration, account)],
    home,
    account,
    probe: () => redisAnswers(port, password),
    readyWithin: 60_000,
    signal,
    log,
  })
  return { ...child, port, password }
}
