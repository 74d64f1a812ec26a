// npm run deploy|diff|destroy -- --stage NAME [options of cdk]: all stacks of one stage, by the CDK of this repository.
// Without --stage nothing is done: whoever deploys says where. Exit code: that of cdk; 64 for wrong usage.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ACTIONS = {
  deploy: ['deploy', '--all'],
  diff: ['diff'],
  destroy: ['destroy', '--all'],
}

const root = fileURLToPath(new URL('..', import.meta.url))
const stages = readdirSync(`${root}deployments`).map(name => name.replace(/\.ts$/, ''))

const [action = '', ...given] = process.argv.slice(2)
const at = given.findIndex(argument => argument === '--stage' || argument.startsWith('--stage='))
const [stage, rest] =
  at < 0
    ? [undefined, given]
    : given[at].includes('=')
      ? [given[at].slice('--stage='.length), given.toSpliced(at, 1)]
      : [given[at + 1], given.toSpliced(at, 2)]

if (!Object.hasOwn(ACTIONS, action) || !stages.includes(stage ?? '')) {
  console.error(`usage: npm run deploy|diff|destroy -- --stage ${stages.join('|')}`)
  console.error(stage === undefined ? 'no --stage was given' : `there is no deployments/${stage}.ts`)
  process.exit(64)
}
const cdk = `${root}node_modules/.bin/cdk`
const { status } = spawnSync(cdk, [...ACTIONS[action], '-c', `stage=${stage}`, ...rest], {
  cwd: root,
  stdio: 'inherit',
})
process.exit(status ?? 1)
