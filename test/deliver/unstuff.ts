// Takes dot-stuffing away; independent of how the client puts it on.

/** What was meant by the octets behind DATA, written anew from RFC 5321 §4.5.2. */
export function unstuff(wire: Buffer): Buffer {
  const lines = wire.toString('latin1').split('\r\n')
  const meant = lines.slice(0, -2).map(line => (line.startsWith('.') ? line.slice(1) : line))
  return Buffer.from(meant.map(line => `${line}\r\n`).join(''), 'latin1')
}
