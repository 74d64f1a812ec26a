// What every private Postfix has, the benchmark's and that of the stories: its services and its directories.
import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './program.ts'

/** Lines of master.cf, without a port of its own. */
export const SERVICES = `pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
`

/** The directories that `postfix set-permissions` would make. */
export async function makeQueue(root: string): Promise<void> {
  const [postfix, postdrop] = [await id('passwd', 'postfix'), await id('group', 'postdrop')]
  const make = (name: string, mode: number, owner: number, group = 0) => {
    const directory = join(root, name)
    mkdirSync(directory, { recursive: true })
    chownSync(directory, owner, group)
    chmodSync(directory, mode)
  }
  make('queue', 0o755, 0)
  make('queue/pid', 0o755, 0)
  make('data', 0o700, postfix)
  for (const name of [
    'active',
    'bounce',
    'corrupt',
    'defer',
    'deferred',
    'flush',
    'hold',
    'incoming',
    'saved',
    'trace',
  ])
    make(`queue/${name}`, 0o700, postfix)
  make('queue/private', 0o700, postfix)
  make('queue/maildrop', 0o1730, postfix, postdrop)
  make('queue/public', 0o2710, postfix, postdrop)
}

async function id(database: 'passwd' | 'group', name: string): Promise<number> {
  return Number((await run('getent', [database, name])).split(':')[2])
}
