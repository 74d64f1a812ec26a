// Requests to AWS, signed with the function's role: the two calls of Amazon Managed Grafana and the one of S3 that are
// needed are plain HTTP, so that no client library for each has to be in the bundle. Throws with AWS's answer.
import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'
import { environment } from '../../src/platform/environment.ts'

export type AwsRequest = Readonly<{
  service: 'grafana' | 's3'
  method: 'GET' | 'POST' | 'DELETE'
  url: string
  body?: object
}>

/** Sends it and gives the answer's text. */
export async function signedFetch({ service, method, url, body }: AwsRequest): Promise<string> {
  const { host, hostname, pathname, protocol } = new URL(url)
  const text = body === undefined ? undefined : JSON.stringify(body)
  const signer = new SignatureV4({
    service,
    region: environment.AWS_REGION ?? 'us-east-1',
    sha256: Sha256,
    uriEscapePath: service !== 's3',
    credentials: {
      accessKeyId: environment.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: environment.AWS_SECRET_ACCESS_KEY ?? '',
      ...(environment.AWS_SESSION_TOKEN && { sessionToken: environment.AWS_SESSION_TOKEN }),
    },
  })
  const { headers } = await signer.sign({
    method,
    protocol,
    hostname,
    path: pathname,
    query: {},
    headers: { host, ...(text !== undefined && { 'content-type': 'application/json' }) },
    ...(text !== undefined && { body: text }),
  })
  const { host: _, ...sent } = headers // fetch sets it itself
  const response = await fetch(url, { method, headers: sent, ...(text !== undefined && { body: text }) })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} ${pathname} of ${service}: ${response.status} ${answer.slice(0, 300)}`)
  return answer
}
