// The outputs of a stack: the one thing that commands ask CloudFormation, so it is asked without a client library for it.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { Sha256 } from '@smithy/core/checksum'
import { SignatureV4 } from '@smithy/signature-v4'
import { EXIT, ExitError } from '../../src/platform/exit.ts'

export type StackPlace = Readonly<{ region: string; endpoint?: string }>

/** Values by name. Throws ExitError with CloudFormation's answer when it is refused. */
export async function stackOutputs(stack: string, place: StackPlace): Promise<Readonly<Record<string, string>>> {
  const { region, endpoint = `https://cloudformation.${region}.amazonaws.com` } = place
  const { host, hostname, protocol, port } = new URL(endpoint)
  const body = new URLSearchParams({ Action: 'DescribeStacks', Version: '2010-05-15', StackName: stack }).toString()
  const signer = new SignatureV4({
    service: 'cloudformation',
    region,
    sha256: Sha256,
    credentials: credentialsFor(region),
  })
  const { headers } = await signer
    .sign({
      method: 'POST',
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path: '/',
      query: {},
      headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
      body,
    })
    .catch(error => {
      throw new ExitError(EXIT.noPermission, `no credentials for AWS: ${(error as Error).message}`)
    })
  const { host: _, ...sent } = headers // fetch sets it itself
  const response = await fetch(`${endpoint}/`, { method: 'POST', headers: sent, body }).catch(error => {
    throw new ExitError(
      EXIT.unavailable,
      `CloudFormation does not answer at ${endpoint}: ${String(error.cause ?? error)}`,
    )
  })
  const answer = await response.text()
  if (!response.ok) {
    const why = textOf(answer, 'Message') ?? `it answered ${response.status}`
    throw new ExitError(EXIT.unavailable, `the stack ${stack} in ${region} cannot be looked at: ${why}`)
  }
  return outputsIn(answer)
}

/** As every client of the SDK finds them: environment, profiles, sign-on, the role of a machine. */
function credentialsFor(region: string) {
  const client = new SecretsManagerClient({ region })
  return () => client.config.credentials()
}

/** <Outputs><member><OutputKey>…</OutputKey><OutputValue>…</OutputValue></member>… */
function outputsIn(xml: string): Record<string, string> {
  const members = (textOf(xml, 'Outputs') ?? '').split('</member>')
  return Object.fromEntries(
    members.flatMap(member => {
      const [key, value] = [textOf(member, 'OutputKey'), textOf(member, 'OutputValue')]
      return key === undefined || value === undefined ? [] : [[key, value]]
    }),
  )
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

/** Of the first element of that name. */
function textOf(xml: string, element: string): string | undefined {
  const inner = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(xml)?.[1]
  return inner?.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name]!)
}
