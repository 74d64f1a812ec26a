// All stacks of the stages that the repository ships: what must hold for every resource of every one of them.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type IPolicyValidationPlugin, Stack, Validations } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, test, vi } from 'vitest'
import { type DeploymentInput, deploymentSettings } from '../../lib/deployment-settings.ts'
import { createStacks } from '../../lib/stacks.ts'
import { masked } from './snapshot.ts'
import { newApp, type Resource, STAGES } from './synth.ts'

// Making a template takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 120_000 })

type Resources = Record<string, Resource>

const VARIANTS: Readonly<Record<string, DeploymentInput>> = {
  ...STAGES,
  'dev without the internet': {
    ...STAGES.dev!,
    network: { egress: 'endpoints' },
    delivery: { runsOn: 'lambda' },
    cache: 'none',
  },
  'prod with a restored table': { ...STAGES.prod!, data: { restored: { records: 'records-again' } } },
}

/** Properties by which a resource of ours would have a name that another stage could not have. */
const NAMES =
  /^(Bucket|Table|Queue|Topic|Function|Role|LogGroup|Cluster|Service|LoadBalancer|TargetGroup|Rule|Secret|Group)?Name$/
/** Names that are none of resources, or that CloudFormation insists on and that are below something without a name. */
const ALLOWED = new Set([
  'AWS::EC2::VPCEndpoint',
  'AWS::ECS::TaskDefinition',
  'AWS::APS::RuleGroupsNamespace',
  'AWS::Grafana::Workspace',
])
/** Log groups to which services of AWS write by themselves must be called so. */
const VENDED = '/aws/vendedlogs/'

test('cdk-nag is awake', () => {
  const app = newApp()
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app) as IPolicyValidationPlugin)
  new Queue(new Stack(app, 'Careless'), 'Queue')
  expect(() => app.synth()).toThrow(/AwsSolutions-SQS/)
})

describe.each(Object.entries(VARIANTS))('%s', (_, input) => {
  const app = newApp()
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app) as IPolicyValidationPlugin)
  const stacks = Object.values(createStacks(app, deploymentSettings(input)))

  test('cdk-nag and CloudFormation’s own rules find nothing that is not acknowledged with a reason', () => {
    expect(synthesized).not.toThrow()
  })

  test('no resource has a name of its own', () => {
    const named = stacks.flatMap(stack =>
      Object.entries(Template.fromStack(stack).toJSON().Resources as Resources).flatMap(([id, resource]) =>
        Object.keys(resource.Properties ?? {})
          .filter(key => NAMES.test(key) && !ALLOWED.has(resource.Type))
          .filter(key => typeof resource.Properties[key] === 'string' && !resource.Properties[key].startsWith(VENDED))
          .map(key => `${id}.${key}`),
      ),
    )
    expect(named).toEqual([])
  })

  test('every resource says which stage it belongs to', () => {
    for (const stack of stacks) {
      for (const { Type, Properties } of Object.values(Template.fromStack(stack).toJSON().Resources as Resources)) {
        if (Array.isArray(Properties?.Tags)) {
          expect([Type, Properties.Tags]).toEqual([
            Type,
            expect.arrayContaining([{ Key: 'elemta:stage', Value: input.stage }]),
          ])
        }
      }
    }
  })

  function synthesized() {
    try {
      return app.synth()
    } catch (error) {
      throw new Error(reportOf(error))
    }
  }
})

test.each(['network', 'data', 'pipeline'] as const)('the template of %s', async part => {
  const { [part]: stack } = createStacks(newApp(), deploymentSettings(STAGES.prod))
  const text = JSON.stringify(masked(Template.fromStack(stack)), undefined, 1)
  await expect(`${text}\n`).toMatchFileSnapshot(`__snapshots__/${part}.template.snap`)
})

test('cdk synth tells what is wrong with a stage and makes nothing', () => {
  const out = mkdtempSync(join(tmpdir(), 'elemta-cdk-'))
  try {
    const { status, stderr } = spawnSync('node_modules/.bin/node', ['bin/cdk.ts'], {
      encoding: 'utf8',
      env: { ...process.env, CDK_OUTDIR: out, CDK_CONTEXT_JSON: JSON.stringify({ stage: 'nowhere' }) },
    })
    expect([status, stderr]).toEqual([
      78,
      expect.stringContaining('stage: there is no deployments/nowhere.ts, only dev, prod'),
    ])
  } finally {
    rmSync(out, { recursive: true })
  }
})

test.each([
  [[], 'no --stage was given'],
  [['--stage', 'nowhere'], 'there is no deployments/nowhere.ts'],
])('nothing is deployed without a stage that is there: %s', (given, told) => {
  const { status, stderr } = spawnSync('node_modules/.bin/node', ['scripts/deploy.mjs', 'deploy', ...given], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([64, expect.stringContaining(told)])
})

/** What is wrong, out of the report that the error names. */
function reportOf(error: unknown): string {
  const { message } = error as Error
  const [, file] = /found in: (\S+validation-report\.json)/.exec(message) ?? []
  return file === undefined ? message : `${message}\n${readFileSync(file, 'utf8').slice(0, 5000)}`
}
