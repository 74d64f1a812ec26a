// The network: where tasks are, how they reach the world, and what people have to enter elsewhere.
import type { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test, vi } from 'vitest'
import { synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

const outputsOf = (template: Template) =>
  Object.fromEntries(Object.entries(template.findOutputs('*')).map(([id, { Value }]) => [id, JSON.stringify(Value)]))

describe('with NAT', () => {
  const made = synthesize({
    network: { natGateways: 2 },
    data: { retain: true },
    domains: ['one.example', 'two.example'],
  })
  const template = made.template('network')

  test('addresses outlive the stack: two for the load balancer, two for NAT', () => {
    const addresses = Object.values(made.resources('network', 'AWS::EC2::EIP'))
    expect(addresses).toHaveLength(4)
    for (const address of addresses) expect(address.DeletionPolicy).toBe('Retain')
    const gateways = Object.values(made.resources('network', 'AWS::EC2::NatGateway'))
    expect(gateways.map(({ Properties }) => Object.keys(Properties.AllocationId)[0])).toEqual([
      'Fn::GetAtt',
      'Fn::GetAtt',
    ])
  })

  test('S3 and DynamoDB are reached without NAT, nothing else has an endpoint', () => {
    const types = Object.values(made.resources('network', 'AWS::EC2::VPCEndpoint')).map(
      ({ Properties }) => `${Properties.VpcEndpointType} ${JSON.stringify(Properties.ServiceName)}`,
    )
    expect(types).toEqual([expect.stringMatching(/^Gateway .*s3/), expect.stringMatching(/^Gateway .*dynamodb/)])
  })

  test('nothing that starts in a public subnet gets an address by itself', () => {
    for (const { Properties } of Object.values(made.resources('network', 'AWS::EC2::Subnet'))) {
      expect(Properties.MapPublicIpOnLaunch).toBe(false)
    }
  })

  test('outputs are the records and steps that no stack can do', () => {
    const outputs = outputsOf(template)
    expect(outputs.MxRecords).toBe(
      '"one.example. 3600 IN MX 10 mx.dev.example.com. | two.example. 3600 IN MX 10 mx.dev.example.com."',
    )
    expect(outputs.ARecord1).toMatch(/mx\.dev\.example\.com\. 300 IN A .*PublicIp/)
    expect(outputs.PtrStep2).toMatch(
      /modify-address-attribute --region eu-central-1 --allocation-id .*AllocationId.* --domain-name mx\.dev\.example\.com/,
    )
    expect(outputs.Port25Request).toMatch(/console\.aws\.amazon\.com.*PublicIp/)
    expect(outputs.OutboundAddresses).toMatch(/PublicIp.*PublicIp/)
  })
})

describe('with endpoints', () => {
  const made = synthesize({ network: { egress: 'endpoints', flowLogs: true } })

  test('there is no NAT, and AWS is reached by interface endpoints', () => {
    made.template('network').resourceCountIs('AWS::EC2::NatGateway', 0)
    const services = Object.values(made.resources('network', 'AWS::EC2::VPCEndpoint'))
      .filter(({ Properties }) => Properties.VpcEndpointType === 'Interface')
      .map(({ Properties }) => Properties.ServiceName.replace(/^com\.amazonaws\.eu-central-1\./, ''))
    expect(services.toSorted()).toEqual([
      'aps-workspaces',
      'ecr.api',
      'ecr.dkr',
      'logs',
      'secretsmanager',
      'sqs',
      'sts',
    ])
  })

  test('no one is asked to open port 25 for addresses that are not there', () => {
    expect(outputsOf(made.template('network'))).not.toHaveProperty('Port25Request')
  })

  test('flow logs are kept as long as all logs', () => {
    made.template('network').resourceCountIs('AWS::EC2::FlowLog', 1)
    expect(made.one('network', 'AWS::Logs::LogGroup').Properties.RetentionInDays).toBe(7)
  })

  test('signatures are fetched from a public subnet, as nothing else is', () => {
    const [target] = made.one('pipeline', 'AWS::Events::Rule', 'SignaturesSchedule').Properties.Targets
    const { AssignPublicIp, Subnets } = target.EcsParameters.NetworkConfiguration.AwsVpcConfiguration
    expect(AssignPublicIp).toBe('ENABLED')
    expect(JSON.stringify(Subnets)).toMatch(/publicSubnet1.*publicSubnet2/)
    expect(Object.keys(made.resources('pipeline', 'AWS::ECS::Service')).length).toBeGreaterThan(1)
    for (const { Properties } of Object.values(made.resources('pipeline', 'AWS::ECS::Service'))) {
      expect(Properties.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp).toBe('DISABLED')
    }
  })
})
