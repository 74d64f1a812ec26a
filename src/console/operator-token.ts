// Where the operator's interface is and what opens it, for commands on the same machine: `operator-token` and
// `operator-address` in the data directory, readable by the gateway's user alone. Made anew at every start.
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

export type OperatorAccess = Readonly<{ token: string; url: string }>

export function mintOperatorToken(): string {
  return randomBytes(32).toString('base64url')
}

/** Writes both, and returns what removes them. `address` and `port` are what the operator's server listens on. */
export function publishOperatorAccess(
  dataDir: string,
  { token, address, port }: Readonly<{ token: string; address: string; port: number }>,
): () => void {
  const reachable = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
  const host = reachable.includes(':') ? `[${reachable}]` : reachable
  write(`${dataDir}/operator-address`, `http://${host}:${port}\n`)
  write(`${dataDir}/operator-token`, `${token}\n`)
  return () => {
    for (const name of ['operator-address', 'operator-token']) rmSync(`${dataDir}/${name}`, { force: true })
  }
}

/** Undefined when no gateway has left any; throws the system's error (EACCES) when they may not be read. */
export function readOperatorAccess(dataDir: string): OperatorAccess | undefined {
  try {
    const read = (name: string) => readFileSync(`${dataDir}/${name}`, 'utf8').trim()
    return { token: read('operator-token'), url: read('operator-address') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function write(path: string, text: string): void {
  rmSync(`${path}-new`, { force: true })
  writeFileSync(`${path}-new`, text, { mode: 0o600, flag: 'wx' })
  renameSync(`${path}-new`, path)
}
