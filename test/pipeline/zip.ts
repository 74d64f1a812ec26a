// Zip archives for the stories.
import { crc32, deflateRawSync } from 'node:zlib'

/** A zip archive with one file; `encrypted` only says so, which is all that can be seen from outside. */
export function zip(name: string, content: Buffer, { encrypted = false } = {}): Buffer {
  const data = deflateRawSync(encrypted ? Buffer.concat([Buffer.alloc(12, 7), content]) : content)
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0) // version needed
  common.writeUInt16LE(encrypted ? 1 : 0, 2)
  common.writeUInt16LE(8, 4) // deflate
  common.writeUInt32LE(crc32(content), 10)
  common.writeUInt32LE(data.length, 14)
  common.writeUInt32LE(content.length, 18)
  common.writeUInt16LE(name.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), data])
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(14), Buffer.from(name)])
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}
