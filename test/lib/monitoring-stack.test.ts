// What watches a stage, as CloudFormation would get it: who may say something to the topics, who hears it, and that the
// documents of the workspace are those of the other homes.
import { type App, type IPolicyValidationPlugin, Validations } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import dev from '../../deployments/dev.ts'
import { DataStack } from '../../lib/data-stack.ts'
import { type DeploymentInput, deploymentSettings } from '../../lib/deployment-settings.ts'
import { MonitoringStack } from '../../lib/monitoring-stack.ts'
import { ruleNamespaces } from '../../monitoring/aws/rule-groups.ts'
import { AWS_SETTINGS } from '../../monitoring/aws/settings.ts'
import { newApp } from './synth.ts'

const ENV = { region: 'eu-central-1', account: '111111111111' }
const BUSY: Partial<DeploymentInput> = {
  alerts: { critical: ['ops@example.com'], warning: ['day@example.com'], slack: true },
  grafana: { enabled: true, version: '12.4' },
}

function stackOf(input: Partial<DeploymentInput>, app: App = newApp()): MonitoringStack {
  const settings = deploymentSettings({ ...dev, ...input })
  const { storage, secrets } = new DataStack(app, 'Data', { settings, env: ENV })
  return new MonitoringStack(app, 'Monitoring', { settings, storage, secrets, env: ENV })
}

type Resource = { Type: string; Properties: Record<string, unknown> }
const made = Template.fromStack(stackOf(BUSY))
const ofType = (type: string, template = made) =>
  Object.values(template.findResources(type) as Record<string, Resource>)

describe('the workspace', () => {
  test('has the rules that every home has, at the pace and with the links of AWS', () => {
    const namespaces = ofType('AWS::APS::RuleGroupsNamespace').map(({ Properties }) => Properties)
    const expected = ruleNamespaces(AWS_SETTINGS)
    expect(namespaces.map(({ Name }) => Name)).toEqual([...expected.keys()])
    const alerts = namespaces.find(({ Name }) => Name === 'elemta-alerts')!.Data as { 'Fn::Join': [string, unknown[]] }
    // The address of Grafana is known when it is made: the text is put together by CloudFormation then.
    const text = alerts['Fn::Join'][1].map(part => (typeof part === 'string' ? part : 'g-1')).join('')
    expect(text.replaceAll('https://g-1/', 'http://localhost:3000/')).toBe(expected.get('elemta-alerts'))
  })

  test('has an Alertmanager that knows the topics, and anomaly detectors', () => {
    const [{ Properties }] = ofType('AWS::APS::Workspace') as [Resource]
    const text = JSON.stringify(Properties.AlertManagerDefinition)
    for (const topic of ['Critical', 'Warning', 'Watchdog'])
      expect(text).toMatch(new RegExp(`"Ref":"Alerts${topic}\\w+"`))
    expect(ofType('AWS::APS::AnomalyDetector')).toHaveLength(6)
  })

  test('is written to at the address that its collectors get', () => {
    const stack = stackOf({})
    expect(JSON.stringify(stack.resolve(stack.metrics.remoteWriteUrl))).toMatch(
      /^\{"Fn::Join":\["",\["https:\/\/aps-workspaces\.eu-central-1\.",.*WorkspaceId.*"\/api\/v1\/remote_write"\]\]\}$/,
    )
  })

  test('takes the thresholds and runbooks of a stage', () => {
    const alerts = { thresholds: { queue_size: 42 }, runbooks: 'https://runbooks.example.com' }
    const template = Template.fromStack(stackOf({ alerts }))
    const rules = ofType('AWS::APS::RuleGroupsNamespace', template).find(
      one => one.Properties.Name === 'elemta-alerts',
    )!
    const { groups } = parse(String(rules.Properties.Data)) as {
      groups: { rules: { alert: string; expr: string; annotations: { runbook_url: string } }[] }[]
    }
    const growing = groups.flatMap(({ rules }) => rules).find(({ alert }) => alert === 'QueueSizeGrowing')!
    expect(growing.expr).toContain('> 42')
    expect(growing.annotations.runbook_url).toBe('https://runbooks.example.com/QueueSizeGrowing.md')
  })
})

describe('the topics', () => {
  test('take what this workspace and the alarms of this account say, over TLS, and nothing else', () => {
    const policies = ofType('AWS::SNS::TopicPolicy')
    expect(policies).toHaveLength(3)
    for (const { Properties } of policies) {
      const { Statement } = Properties.PolicyDocument as { Statement: Record<string, unknown>[] }
      const allowed = Statement.filter(({ Effect }) => Effect === 'Allow')
      const services = allowed.map(({ Principal }) => (Principal as { Service: string }).Service)
      expect(services.filter(service => service === 'aps.amazonaws.com')).toHaveLength(1)
      for (const statement of allowed) expect(JSON.stringify(statement.Condition)).toContain('aws:SourceArn')
      expect(
        allowed.find(({ Principal }) => (Principal as { Service: string }).Service.startsWith('aps')),
      ).toMatchObject({
        Action: ['sns:GetTopicAttributes', 'sns:Publish'],
        Condition: {
          StringEquals: { 'aws:SourceAccount': '111111111111' },
          ArnEquals: { 'aws:SourceArn': expect.anything() },
        },
      })
      expect(Statement.filter(({ Effect }) => Effect === 'Deny')).toMatchObject([
        { Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      ])
    }
  })

  test('give people text and Slack what is for it; alarms come to both', () => {
    made.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
      TopicArn: { Ref: Match.stringLikeRegexp('Critical') },
      FilterPolicy: { for_slack: [{ exists: false }] },
    })
    made.resourcePropertiesCountIs(
      'AWS::SNS::Subscription',
      {
        Protocol: 'lambda',
        FilterPolicy: { for_people: [{ exists: false }] },
        RedrivePolicy: { deadLetterTargetArn: Match.anyValue() },
      },
      2,
    )
    made.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
    })
  })

  test.each([
    [{ critical: ['a@example.com'] }, ['a@example.com', 'a@example.com']],
    [{ critical: ['a@example.com'], warning: ['b@example.com'] }, ['a@example.com', 'b@example.com']],
    [{ critical: ['a@example.com'], slack: true }, ['a@example.com']],
    [{}, []],
  ])('with alerts %o e-mail goes to %o', (alerts, addresses) => {
    const subscriptions = ofType('AWS::SNS::Subscription', Template.fromStack(stackOf({ alerts })))
    const emails = subscriptions.filter(({ Properties }) => Properties.Protocol === 'email')
    expect(emails.map(({ Properties }) => Properties.Endpoint)).toEqual(addresses)
  })
})

describe('alarms', () => {
  const alarms = ofType('AWS::CloudWatch::Alarm').map(({ Properties }) => Properties)

  test('are on queues, dead letters, the function and the silence of the Watchdog', () => {
    const about = alarms.map(({ Namespace, MetricName, AlarmDescription }) => [
      `${Namespace} ${MetricName}`,
      /^(critical|warning): [A-Z]/.exec(String(AlarmDescription))?.[1],
    ])
    expect(about.sort()).toEqual(
      [
        ['AWS/SQS ApproximateAgeOfOldestMessage', 'critical'],
        ['AWS/SQS ApproximateAgeOfOldestMessage', 'critical'],
        ['AWS/SQS ApproximateNumberOfMessagesVisible', 'warning'],
        ['AWS/SQS ApproximateNumberOfMessagesVisible', 'warning'],
        ['AWS/SQS ApproximateNumberOfMessagesVisible', 'critical'],
        ['AWS/SNS NumberOfMessagesPublished', 'critical'],
        ['AWS/Lambda Errors', 'warning'],
        ['AWS/Lambda Throttles', 'warning'],
      ].sort(),
    )
  })

  test('tell the topic of their severity when they begin and when they end', () => {
    for (const { AlarmActions, OKActions, AlarmDescription } of alarms) {
      const topic = /^critical/.test(String(AlarmDescription)) ? 'Critical' : 'Warning'
      expect(AlarmActions).toEqual([{ Ref: expect.stringMatching(topic) }])
      expect(OKActions).toEqual(AlarmActions)
    }
  })

  test('miss the Watchdog after a quarter of an hour without a sign', () => {
    expect(alarms.find(({ Namespace }) => Namespace === 'AWS/SNS')).toMatchObject({
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      Period: 300,
      EvaluationPeriods: 3,
      TreatMissingData: 'breaching',
    })
  })
})

describe('Grafana', () => {
  test('is there only where it is asked for', () => {
    expect(ofType('AWS::Grafana::Workspace', Template.fromStack(stackOf({})))).toEqual([])
    made.hasResourceProperties('AWS::Grafana::Workspace', {
      AuthenticationProviders: ['AWS_SSO'],
      PermissionType: 'CUSTOMER_MANAGED',
      GrafanaVersion: '12.4',
    })
  })

  test('is filled by a function that may make tokens for this workspace, and no more', () => {
    const [{ Properties }] = ofType('Custom::ElemtaGrafanaContent') as [Resource]
    expect(Object.keys(Properties).sort()).toEqual(
      [
        'ServiceTimeout',
        'ServiceToken',
        'contentUrl',
        'dataSources',
        'grafanaService',
        'workspaceId',
        'workspaceUrl',
      ].sort(),
    )
    made.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: Match.arrayWith(['grafana:CreateWorkspaceServiceAccountToken']),
            Resource: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('workspaces/$')])] },
          }),
        ]),
      },
    })
  })

  test('has a policy without writing to metrics, alarms or other workspaces', () => {
    const [text = ''] = ofType('AWS::IAM::Policy')
      .map(policy => JSON.stringify(policy))
      .filter(policy => policy.includes('aps:QueryMetrics'))
    expect(text).not.toMatch(
      /"(aps|cloudwatch):(Put(?!AlertManagerSilences)|RemoteWrite|Delete(?!AlertManagerSilence)|Create|Set|\*)/,
    )
  })
})

test('cdk-nag finds nothing that is not explained', () => {
  const app = newApp()
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app) as IPolicyValidationPlugin)
  stackOf(BUSY, app)
  expect(() => app.synth()).not.toThrow()
})
