// Stacks of a stage as CloudFormation would get them, made with the flags of cdk.json and without bundling functions: no
// Docker, no credentials, no network.
import { readFileSync } from 'node:fs'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import dev from '../../deployments/dev.ts'
import prod from '../../deployments/prod.ts'
import { type DeploymentInput, deploymentSettings } from '../../lib/deployment-settings.ts'
import { createStacks, type Stacks } from '../../lib/stacks.ts'

export const STAGES: Readonly<Record<string, DeploymentInput>> = { dev, prod }

const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'))

export function newApp(): App {
  return new App({ context: { ...context, 'aws:cdk:bundling-stacks': [] } })
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no types; expectations say what they hold
export type Resource = Readonly<{ Type: string; Properties: Record<string, any>; [key: string]: unknown }>

export type Synthesized = Readonly<{
  stacks: Stacks
  template(part: keyof Stacks): Template
  /** Of a type, by logical id; only those whose id begins with `prefix`. */
  resources(part: keyof Stacks, type: string, prefix?: string): Record<string, Resource>
  /** The only one of them; throws when there are none or more. */
  one(part: keyof Stacks, type: string, prefix?: string): Resource
}>

/** `input` on top of the settings of dev. */
export function synthesize(input: Partial<DeploymentInput> = {}): Synthesized {
  const stacks = createStacks(newApp(), deploymentSettings({ ...dev, ...input }))
  const made = new Map<string, Template>()
  const template = (part: keyof Stacks) => {
    const known = made.get(part) ?? Template.fromStack(stacks[part])
    made.set(part, known)
    return known
  }
  const resources = (part: keyof Stacks, type: string, prefix = '') =>
    Object.fromEntries(
      Object.entries(template(part).findResources(type) as Record<string, Resource>).filter(([id]) =>
        id.startsWith(prefix),
      ),
    )
  return {
    stacks,
    template,
    resources,
    one(part, type, prefix = '') {
      const found = Object.entries(resources(part, type, prefix))
      if (found.length !== 1)
        throw new Error(`${found.length} of ${type} begin with ${prefix}: ${found.map(([id]) => id)}`)
      return found[0]![1]
    },
  }
}

// biome-ignore lint/suspicious/noExplicitAny: templates have no types; expectations say what they hold
export type Container = Readonly<Record<string, any>>
/** Of a task, by name. */
export function containersOf(made: Synthesized, task: string): Record<string, Container> {
  const { Properties } = made.one('pipeline', 'AWS::ECS::TaskDefinition', task)
  return Object.fromEntries(Properties.ContainerDefinitions.map((container: Container) => [container.Name, container]))
}

export const environmentOf = ({ Environment }: Container): Record<string, unknown> =>
  Object.fromEntries(Environment.map(({ Name, Value }: { Name: string; Value: unknown }) => [Name, Value]))
