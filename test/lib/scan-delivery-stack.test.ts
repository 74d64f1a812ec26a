// Where scanners deliver, too.
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { synthesize } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

test('one task has the rights, the secrets and the ports for both', () => {
  const both = synthesize({
    routes: [{ domains: ['*'], to: 'smtp://mail.example.com:2525', tls: 'encrypt', auth: true }],
    delivery: { runsOn: 'scanners' },
  })
  expect(Object.keys(both.resources('pipeline', 'AWS::ECS::Service'))).toHaveLength(2)
  expect(both.resources('pipeline', 'AWS::Lambda::Function', 'Delivery')).toEqual({})
  const { Properties } = both.one('pipeline', 'AWS::ECS::TaskDefinition', 'ScannersTask')
  const gateway = Properties.ContainerDefinitions.find(({ Name }: { Name: string }) => Name === 'gateway')
  const variables = gateway.Environment.map(({ Name, Value }: Record<string, string>) => [Name, Value])
  expect(gateway.Command).toEqual(['containers/scan-delivery-worker/main.ts'])
  const secrets = gateway.Secrets.map(({ Name }: { Name: string }) => Name)
  expect(secrets).toEqual(expect.arrayContaining(['ELEMTA_RELEASE_KEY', 'ELEMTA_NEXT_HOP_PASSWORD']))
  expect(parse(Object.fromEntries(variables).ELEMTA_CONFIG_YAML).routes[0]).toHaveProperty('auth')
  const [group] = Object.values(both.resources('pipeline', 'AWS::EC2::SecurityGroup', 'ScannersTaskGroup'))
  const ports = group!.Properties.SecurityGroupEgress.map(({ FromPort }: { FromPort: number }) => FromPort)
  expect(ports).toContain(2525)
  const policies = Object.values(both.resources('pipeline', 'AWS::IAM::Policy', 'ScannersTaskDefinitionTaskRole'))
  const statements = policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
  const receiving = JSON.stringify(statements.filter(({ Action }) => Action.includes('sqs:ReceiveMessage')))
  for (const queue of ['ScanJobs', 'DeliveryJobs']) expect(receiving).toContain(queue)
})
