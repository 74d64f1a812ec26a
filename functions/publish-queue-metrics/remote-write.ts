// A few samples to a Prometheus by its remote write, once, with no agent: the request is a protobuf message in snappy's
// block format, and for Amazon's service signed with the function's role. Throws with the answer when it is refused.
// https://prometheus.io/docs/specs/prw/remote_write_spec/
import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'

export type Sample = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>

export type RemoteWriteTarget = Readonly<{
  url: string
  /** Absent: the request is not signed. */
  region?: string
  credentials?: Readonly<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string }>
}>

/** `at` in milliseconds since 1970, of all samples. */
export async function writeSamples(target: RemoteWriteTarget, samples: readonly Sample[], at: number): Promise<void> {
  const body = inSnappy(writeRequest(samples, at))
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  }
  const response = await fetch(target.url, {
    method: 'POST',
    headers: await signed(target, headers, body),
    body: new Uint8Array(body),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`remote write: ${response.status} ${answer.slice(0, 300)}`)
}

async function signed(
  { url, region, credentials }: RemoteWriteTarget,
  headers: Record<string, string>,
  body: Buffer,
): Promise<Record<string, string>> {
  if (region === undefined || credentials === undefined) return headers
  const { host, hostname, pathname, protocol } = new URL(url)
  const signer = new SignatureV4({ service: 'aps', region, sha256: Sha256, credentials })
  const request = { method: 'POST', protocol, hostname, path: pathname, query: {}, body }
  const { headers: all } = await signer.sign({ ...request, headers: { ...headers, host } })
  const { host: _, ...sent } = all // fetch sets it itself
  return sent
}

/** WriteRequest { timeseries = 1: { labels = 1: { name = 1, value = 2 }, samples = 2: { value = 1, timestamp = 2 } } } */
function writeRequest(samples: readonly Sample[], at: number): Buffer {
  return Buffer.concat(
    samples.map(({ labels, value }) => {
      const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
      const number = Buffer.alloc(8)
      number.writeDoubleLE(value)
      return field(1, [
        ...pairs.map(([name, text]) => field(1, [field(1, [Buffer.from(name)]), field(2, [Buffer.from(text)])])),
        field(2, [Buffer.from([0x09]), number, Buffer.from([0x10]), varint(at)]),
      ])
    }),
  )
}

/** Of length-delimited type. */
function field(number: number, parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content])
}

function varint(value: number): Buffer {
  const octets = []
  for (; value > 127; value = Math.floor(value / 128)) octets.push((value % 128) | 128)
  return Buffer.from([...octets, value])
}

/** Longest literal whose length is told in two octets. */
const LITERAL = 65_536

/** Its block format with literals only: a kilobyte is not worth more. */
function inSnappy(content: Buffer): Buffer {
  const parts = [varint(content.length)]
  for (let from = 0; from < content.length; from += LITERAL) {
    const literal = content.subarray(from, from + LITERAL)
    const length = Buffer.alloc(3)
    length[0] = 61 << 2
    length.writeUInt16LE(literal.length - 1, 1)
    parts.push(length, literal)
  }
  return Buffer.concat(parts)
}
