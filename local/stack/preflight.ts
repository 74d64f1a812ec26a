// What keeps the container stack from starting, looked for before anybody waits for it: programs, ports, an emulator that
// asks for an account, volumes that another version has made. Each problem says what to do. Asks Docker, where it is
// there; changes nothing and never rejects.
import { execFile } from 'node:child_process'
import { isFree } from '../embedded/port.ts'

export type Settings = Readonly<Record<string, string>>

/** Octets: what ClamAV's signatures and the rest need. */
export const ENOUGH_MEMORY = 3 * 1024 ** 3
/** The label `dev.elemta.layout` of our volumes. */
const LAYOUT = '1'
const PORT = /^[A-Z]+_PORT$/

/** The words before `-f`, of whichever is there. */
export async function composeCommand(): Promise<string | undefined> {
  if ((await output('docker', ['compose', 'version'])) !== undefined) return 'docker compose'
  if ((await output('docker-compose', ['version'])) !== undefined) return 'docker-compose'
  return undefined
}

export async function preflight(settings: Settings): Promise<string[]> {
  const found = await Promise.all([noCompose(), takenPorts(settings), foreignVolumes(settings)])
  return [...found.flat(), ...wantsAccount(settings)]
}

async function noCompose(): Promise<string[]> {
  if ((await composeCommand()) !== undefined) return []
  return ['neither docker compose nor docker-compose is there: install Docker, or run it all natively: npm start']
}

async function takenPorts(settings: Settings): Promise<string[]> {
  const own = (await output('docker', ['ps', ...ofProject(settings), '--format', '{{.Ports}}'])) ?? ''
  const ports = Object.entries(settings).filter(([name]) => PORT.test(name))
  const problems = ports.map(async ([name, port]) => {
    if (own.includes(`127.0.0.1:${port}->`) || (await isFree(Number(port)))) return []
    return [`127.0.0.1:${port} is taken: stop what is there, or write another ${name} into local/.env`]
  })
  return (await Promise.all(problems)).flat()
}

/** Tags after 4.14 end at once without a token. */
function wantsAccount({ AWS_EMULATOR_IMAGE: image = '', LOCALSTACK_AUTH_TOKEN: token }: Settings): string[] {
  const [isLocalstack, tag = 'latest'] = /(?:^|\/)localstack\/localstack(?::(.+))?$/.exec(image) ?? []
  if (isLocalstack === undefined || token || /^(?:[0-3]|4\.(?:\d|1[0-4]))(?:\.|$)/.test(tag)) return []
  return [
    `${image} ends at once without an account: write LOCALSTACK_AUTH_TOKEN into local/.env, or stay with localstack/localstack:4.14.0`,
  ]
}

async function foreignVolumes(settings: Settings): Promise<string[]> {
  const format = '{{.Name}}\t{{.Label "dev.elemta.layout"}}'
  const listed = (await output('docker', ['volume', 'ls', ...ofProject(settings), '--format', format])) ?? ''
  return listed
    .split('\n')
    .filter(Boolean)
    .map(line => line.split('\t') as [string, string?])
    .filter(([, layout]) => layout !== LAYOUT)
    .map(
      ([name, layout = '']) =>
        `the volume ${name} is of ${layout ? `layout ${layout}` : 'another version'}, this is ${LAYOUT}: docker volume rm ${name} (mail is not in volumes; what it held is made again)`,
    )
}

const ofProject = ({ COMPOSE_PROJECT_NAME: name = 'elemta' }: Settings) => [
  '--filter',
  `label=com.docker.compose.project=${name}`,
]

/** What it prints; undefined when it is not there, or fails. */
function output(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise(resolve =>
    execFile(program, args, { timeout: 10_000 }, (error, stdout) => resolve(error === null ? stdout : undefined)),
  )
}
