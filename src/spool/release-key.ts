// The key that releases are signed with: `release.key` in the data directory, made when it is first needed, for its
// owner alone. Without it nothing is released any more that was being so: it is set aside again, and told.
// Throws the system's error when it can be neither read nor made.
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const OCTETS = 32

export function readReleaseKey(dataDir: string): Buffer {
  const path = `${dataDir}/release.key`
  try {
    return keyIn(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const fresh = `${path}-${process.pid}`
  try {
    writeFileSync(fresh, `${randomBytes(OCTETS).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    // Fails where somebody else was faster: then theirs is the key.
    linkSync(fresh, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(fresh, { force: true })
  }
  return keyIn(path)
}

function keyIn(path: string): Buffer {
  const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64url')
  if (key.length !== OCTETS) throw new Error(`${path} is damaged: remove it, and a new one is made`)
  return key
}
