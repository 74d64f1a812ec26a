// CloudFormation of an emulator, spoken to as CDK's command line does: templates lie in a bucket, a stack is made and
// waited for. What an emulator does not know is left out by hand (without()), never by itself.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Resource, Template } from './synthesized.ts'

export type Emulator = Readonly<{ endpoint: string; region: string }>
export type Made = Readonly<{
  outputs: Readonly<Record<string, string>>
  /** Logical id to status and physical id. */
  resources: Readonly<Record<string, Readonly<{ status: string; physicalId: string }>>>
}>

/** A template without the resources of some types: who refers to them gets a stand-in. */
export function without(template: Template, types: ReadonlySet<string>): Template {
  const kept = Object.entries(template.Resources).filter(([, { Type }]) => !types.has(Type))
  const gone = new Map(Object.entries(template.Resources).filter(([, { Type }]) => types.has(Type)))
  const { Resources: _, ...rest } = template
  return replaced({ ...rest, Resources: Object.fromEntries(kept) }, gone) as Template
}

/** `Ref`, `Fn::GetAtt` and `${…}` of what is gone become text of its kind; `DependsOn` forgets it. */
function replaced(value: unknown, gone: ReadonlyMap<string, Resource>): unknown {
  if (Array.isArray(value)) return value.map(one => replaced(one, gone))
  if (typeof value !== 'object' || value === null) return value
  const { Ref, 'Fn::GetAtt': attribute } = value as { Ref?: string; 'Fn::GetAtt'?: string[] }
  if (Ref !== undefined && gone.has(Ref)) return standIn(gone.get(Ref)!.Type, '')
  if (attribute !== undefined && gone.has(attribute[0]!)) return standIn(gone.get(attribute[0]!)!.Type, attribute[1]!)
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key !== 'DependsOn') return [key, replaced(inner, gone)]
      return [key, [inner].flat().filter(id => !gone.has(id as string))]
    }),
  )
}

/** Types that `Ref` gives the ARN of. */
const REF_IS_ARN = /^AWS::(ElasticLoadBalancingV2|ECS::TaskDefinition)/

/** An ARN where one is asked for, with as many parts as templates take it apart into. */
function standIn(type: string, attribute: string): string {
  const [, service = '', kind = ''] = type.toLowerCase().split('::')
  const isArn = /arn$/i.test(attribute) || (attribute === '' && REF_IS_ARN.test(type))
  return isArn ? `arn:aws:${service}:eu-central-1:000000000000:${kind}/net/left-out/0/0` : `left-out-${kind}`
}

/** Makes a stack of a template that lies at `url`, and waits for it. Rejects with the events of what went wrong. */
export async function createStack(emulator: Emulator, name: string, url: string): Promise<Made> {
  await call(emulator, 'CreateStack', { StackName: name, TemplateURL: url, 'Capabilities.member.1': 'CAPABILITY_IAM' })
  for (;;) {
    const stack = await call(emulator, 'DescribeStacks', { StackName: name })
    const status = textOf(stack, 'StackStatus')
    if (status !== 'CREATE_IN_PROGRESS') {
      if (status !== 'CREATE_COMPLETE') throw new Error(`${name}: ${status}\n${await failures(emulator, name)}`)
      return { outputs: outputsIn(stack), resources: await resourcesOf(emulator, name) }
    }
    await sleep(200)
  }
}

async function resourcesOf(emulator: Emulator, name: string): Promise<Made['resources']> {
  const answer = await call(emulator, 'DescribeStackResources', { StackName: name })
  return Object.fromEntries(
    membersOf(answer, 'StackResources').map(one => [
      textOf(one, 'LogicalResourceId'),
      { status: textOf(one, 'ResourceStatus'), physicalId: textOf(one, 'PhysicalResourceId') },
    ]),
  )
}

async function failures(emulator: Emulator, name: string): Promise<string> {
  const answer = await call(emulator, 'DescribeStackEvents', { StackName: name })
  return membersOf(answer, 'StackEvents')
    .filter(one => textOf(one, 'ResourceStatus').endsWith('_FAILED'))
    .map(one => `${textOf(one, 'LogicalResourceId')}: ${textOf(one, 'ResourceStatusReason')}`)
    .join('\n')
}

/** Of SSM: CDK's templates ask it which version `cdk bootstrap` has made. */
export async function putParameter(emulator: Emulator, Name: string, Value: string): Promise<void> {
  await post(emulator, 'ssm', {
    headers: { 'x-amz-target': 'AmazonSSM.PutParameter', 'content-type': 'application/x-amz-json-1.1' },
    body: JSON.stringify({ Name, Value, Type: 'String', Overwrite: true }),
  })
}

function call(emulator: Emulator, Action: string, parameters: Record<string, string>): Promise<string> {
  const body = new URLSearchParams({ Action, Version: '2010-05-15', ...parameters })
  return post(emulator, 'cloudformation', { body })
}

type Request = Readonly<{ headers?: Record<string, string>; body: string | URLSearchParams }>

async function post({ endpoint, region }: Emulator, service: string, { headers, body }: Request): Promise<string> {
  // Emulators read the service and the region out of it, and nothing else.
  const scope = `Credential=test/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=0`
  const authorization = `AWS4-HMAC-SHA256 ${scope}`
  const response = await fetch(endpoint, { method: 'POST', headers: { ...headers, authorization }, body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${service}: ${textOf(text, 'Message') || text}`)
  return text
}

function outputsIn(stack: string): Record<string, string> {
  return Object.fromEntries(
    membersOf(stack, 'Outputs').map(one => [textOf(one, 'OutputKey'), textOf(one, 'OutputValue')]),
  )
}

function membersOf(xml: string, list: string): string[] {
  const inner = new RegExp(`<${list}>(.*?)</${list}>`, 's').exec(xml)?.[1] ?? ''
  return [...inner.matchAll(/<member>(.*?)<\/member>/gs)].map(([, one]) => one!)
}

function textOf(xml: string, tag: string): string {
  const text = new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(xml)?.[1] ?? ''
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
}
