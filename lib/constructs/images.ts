// The images of a stage. Ours are built from containers/ when they are published, not when `cdk synth` runs: that needs no
// Docker. All are for ARM64. Versions of others' images stand here and nowhere else.
import { fileURLToPath } from 'node:url'
import { IgnoreMode } from 'aws-cdk-lib'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import { ContainerImage } from 'aws-cdk-lib/aws-ecs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What an image is made of; all else in the repository changes nothing about it. */
const CONTEXTS = {
  gateway: [
    'package.json',
    'package-lock.json',
    'LICENSE',
    'bin',
    'config',
    'containers',
    'functions',
    'local',
    'monitoring',
    'src',
  ],
  clamav: ['containers/clamav'],
  rspamd: ['containers/rspamd', 'config/rspamd'],
  unbound: ['containers/unbound'],
} as const
export type OwnImage = keyof typeof CONTEXTS

/** Secrets of a stack on this machine. */
const PRIVATE = ['local/site', '**/.env']

/** An image made by containers/<name>/Dockerfile. */
export function ownImage(name: OwnImage): ContainerImage {
  const needed = [...CONTEXTS[name], `containers/${name}/Dockerfile`]
  return ContainerImage.fromAsset(ROOT, {
    file: `containers/${name}/Dockerfile`,
    platform: Platform.LINUX_ARM64,
    ignoreMode: IgnoreMode.DOCKER,
    exclude: ['*', ...needed.map(path => `!${path}`), ...PRIVATE],
  })
}

/** AWS Distro for OpenTelemetry: the collector beside each role. */
export const COLLECTOR_IMAGE = 'public.ecr.aws/aws-observability/aws-otel-collector:v0.49.0'
