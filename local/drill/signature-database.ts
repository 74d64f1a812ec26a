// An unsigned database of signatures (daily.cud) with a version and a date of our choosing, as clamd loads it: a header
// of 512 octets before a compressed archive of an index (daily.info) and the signatures.
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

const LEVEL = 51 // what an engine has to understand; any of today's does

/** `signatures`: lines of an .ndb file. */
export function signatureDatabase(version: number, builtAt: Date, signatures: string[]): Buffer {
  const seconds = Math.floor(builtAt.getTime() / 1000)
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(builtAt.toUTCString())!
  const date = `${day} ${month} ${year} ${time!.slice(0, 5).replace(':', '-')} +0000`
  const about = (hash: string, signature: string) =>
    `ClamAV-VDB:${date}:${version}:${signatures.length}:${LEVEL}:${hash}:${signature}:test:${seconds}`
  const ndb = Buffer.from(signatures.map(line => `${line}\n`).join(''))
  const index = `${about('X', 'X')}\ndaily.ndb:${ndb.length}:${createHash('sha256').update(ndb).digest('hex')}\n`
  const files = [
    archived('COPYING', Buffer.from('x\n')),
    archived('daily.info', Buffer.from(index)),
    archived('daily.ndb', ndb),
  ]
  const archive = gzipSync(Buffer.concat([...files, Buffer.alloc(1024)]))
  const header = about(createHash('md5').update(archive).digest('hex'), 'X')
  return Buffer.concat([Buffer.from(header.padEnd(512)), archive])
}

/** A member of a tar archive (POSIX.1-1988, ustar). */
function archived(name: string, data: Buffer): Buffer {
  const header = Buffer.alloc(512)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  header.write(name, 0)
  header.write(octal(0o644, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(data.length, 11), 124)
  header.write(octal(0, 11), 136)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, octet) => total + octet, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}
