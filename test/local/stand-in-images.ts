// The stand-ins by the name of the real image, without its tag. What each is like in reality is in its own Dockerfile:
// users, paths, entry point and what else the stack relies on are here as they are there.
import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { signatureDatabase } from '../../local/drill/signature-database.ts'
import { EMULATORS, NPM_CACHE, npmRegistry, pythons, RSPAMD_PATTERNS } from './downloads.ts'
import { ALPINE_USR, addUser, copyInto, DEBIAN_USR, putProgram, type Skeleton } from './stand-in-root.ts'

export type StandIn = Readonly<{
  skeleton: Skeleton
  /** Directories and files of this machine that are mounted into every container: `from` or `from:to`. */
  machine: readonly string[]
  /** Adds what else the image has. */
  build?: (root: string) => void
  /** Instructions of a Dockerfile. */
  changes: readonly string[]
}>

const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const stub = (name: string) => join(import.meta.dirname, 'stand-ins', name)
const NODE = `${repository}/node_modules/node/bin/node`
/** Put together here, so that no file of ours sets off a virus scanner. */
const EICAR = Buffer.from(
  ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', 'STANDARD', 'ANTIVIRUS', 'TEST', 'FILE!$H+H*'].join('-'),
).toString('hex')
/** For programs of ours in images that have no Node in reality. */
const OWN_NODE = [`${NODE}:/opt/stand-in/node`, `${repository}/node_modules/yaml:/opt/stand-in/node_modules/yaml`]

const GRAFANA: StandIn = {
  skeleton: 'alpine',
  machine: [
    ...ALPINE_USR,
    '/usr/bin/curl:/usr/bin/curl',
    ...OWN_NODE,
    `${stub('grafana.mjs')}:/opt/stand-in/grafana.mjs`,
  ],
  build(root) {
    addUser(root, 'grafana', 472, 0)
    putProgram(root, 'run.sh', '#!/bin/sh\nexec /opt/stand-in/node /opt/stand-in/grafana.mjs\n')
    own(root, 'var/lib/grafana', 472, 0)
    own(root, 'etc/grafana/provisioning', 472, 0)
  },
  changes: ['USER 472', 'WORKDIR /usr/share/grafana', 'EXPOSE 3000', 'ENTRYPOINT ["/run.sh"]'],
}

export const STAND_INS: Readonly<Record<string, StandIn>> = {
  'docker.io/library/node': {
    skeleton: 'debian',
    machine: DEBIAN_USR,
    build(root) {
      addUser(root, 'node', 1000)
      copyInto(root, NODE, '/usr/local/bin/node')
      copyInto(root, '/usr/lib/node_modules/npm', '/usr/local/lib/node_modules/npm')
      putProgram(
        root,
        'usr/local/bin/npm',
        '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
      )
      // The registry's packages are in npm's cache from the start. Copied: npm does not read a cache that it cannot write.
      copyInto(root, join(NPM_CACHE, '_cacache'), '/root/.npm/_cacache')
      mkdirSync(join(root, 'usr/local/etc'))
      writeFileSync(join(root, 'usr/local/etc/npmrc'), `offline=true\nlogs-max=0\nregistry=${npmRegistry()}\n`)
      putProgram(root, 'usr/local/bin/docker-entrypoint.sh', '#!/bin/sh\nexec "$@"\n')
      own(root, 'home/node', 1000, 1000)
    },
    changes: ['ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["node"]', path('/usr/local/sbin:/usr/local/bin')],
  },
  'gcr.io/distroless/cc-debian12': {
    skeleton: 'distroless',
    machine: [],
    changes: [
      'USER 65532',
      path('/usr/local/sbin:/usr/local/bin'),
      'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
    ],
  },
  'docker.io/library/debian': {
    skeleton: 'debian',
    machine: [...DEBIAN_USR, '/var/lib/dpkg'],
    build(root) {
      copyInto(root, stub('apt-get.sh'), '/usr/local/bin/apt-get')
      mkdirSync(join(root, 'etc/unbound'))
    },
    changes: ['CMD ["bash"]', path('/usr/local/sbin:/usr/local/bin')],
  },
  'docker.io/clamav/clamav-debian': {
    skeleton: 'debian',
    machine: [...DEBIAN_USR],
    build(root) {
      addUser(root, 'clamav', 1000)
      const signatures = own(root, 'var/lib/clamav', 1000, 1000)
      own(root, 'var/log/clamav', 1000, 1000)
      mkdirSync(join(root, 'etc/clamav'))
      writeFileSync(
        join(signatures, 'main.cud'),
        signatureDatabase(62, new Date(), [`Eicar-Test-Signature:0:*:${EICAR}`]),
      )
      putProgram(root, 'init', '#!/bin/sh\nexec clamd --foreground\n')
    },
    changes: ['ENTRYPOINT ["/init"]', 'EXPOSE 3310', 'EXPOSE 7357', 'ENV TZ=Etc/UTC'],
  },
  'docker.io/rspamd/rspamd': {
    skeleton: 'debian',
    machine: [
      ...DEBIAN_USR,
      ...['effective_tld_names.dat', 'elastic', 'languages', 'lualib', 'plugins', 'rules', 'www'].map(
        name => `/usr/share/rspamd/${name}`,
      ),
      // This machine's rspamd looks for its configuration elsewhere.
      '/usr/bin/rspamd:/opt/stand-in/rspamd',
      `${stub('rspamd.sh')}:/usr/bin/rspamd`,
    ],
    build(root) {
      addUser(root, '_rspamd', 11333)
      cpSync('/etc/rspamd', join(root, 'usr/share/rspamd/config'), { recursive: true, verbatimSymlinks: true })
      mkdirSync(join(root, 'etc/rspamd'))
      for (const name of readdirSync(RSPAMD_PATTERNS)) {
        copyInto(root, join(RSPAMD_PATTERNS, name), `/var/lib/rspamd/${name}`)
        chownSync(join(root, 'var/lib/rspamd', name), 11333, 11333)
      }
      own(root, 'var/lib/rspamd', 11333, 11333)
      own(root, 'var/log/rspamd', 11333, 11333)
    },
    changes: [
      'USER 11333:11333',
      'VOLUME /var/lib/rspamd',
      'CMD ["/usr/bin/rspamd", "-f"]',
      'EXPOSE 11332',
      'EXPOSE 11333',
      'EXPOSE 11334',
    ],
  },
  'docker.io/valkey/valkey': {
    skeleton: 'alpine',
    machine: [
      ...ALPINE_USR,
      '/usr/bin/setpriv:/usr/bin/setpriv',
      '/usr/bin/redis-check-rdb:/usr/local/bin/redis-server',
      '/usr/bin/redis-cli:/usr/local/bin/valkey-cli',
    ],
    build(root) {
      addUser(root, 'valkey', 999, 1000)
      own(root, 'data', 999, 1000)
      putProgram(root, 'usr/local/bin/valkey-server', '#!/bin/sh\nexec /usr/local/bin/redis-server "$@"\n')
      copyInto(root, stub('valkey-entrypoint.sh'), '/usr/local/bin/docker-entrypoint.sh')
    },
    changes: [
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'CMD ["valkey-server"]',
      'WORKDIR /data',
      'VOLUME /data',
      'EXPOSE 6379',
      path('/usr/local/bin'),
    ],
  },
  'docker.io/prom/prometheus': {
    skeleton: 'alpine',
    machine: [...ALPINE_USR, '/usr/bin/prometheus:/bin/prometheus', '/usr/bin/promtool:/bin/promtool'],
    build(root) {
      own(root, 'prometheus', 65534, 65534)
      mkdirSync(join(root, 'etc/prometheus'))
    },
    changes: [
      'USER nobody',
      'WORKDIR /prometheus',
      'VOLUME /prometheus',
      'EXPOSE 9090',
      'ENTRYPOINT ["/bin/prometheus"]',
      'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]',
    ],
  },
  'docker.io/prom/alertmanager': {
    skeleton: 'alpine',
    machine: [
      ...ALPINE_USR,
      '/usr/bin/prometheus-alertmanager:/bin/alertmanager',
      '/usr/bin/amtool:/bin/amtool',
      // Debian's has its own templates outside of the program.
      '/usr/share/prometheus/alertmanager',
    ],
    build(root) {
      own(root, 'alertmanager', 65534, 65534)
      mkdirSync(join(root, 'etc/alertmanager'))
    },
    changes: [
      'USER nobody',
      'WORKDIR /alertmanager',
      'VOLUME /alertmanager',
      'EXPOSE 9093',
      'ENTRYPOINT ["/bin/alertmanager"]',
      'CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]',
    ],
  },
  'docker.io/grafana/grafana': GRAFANA,
  'docker.io/grafana/grafana-oss': GRAFANA,
  'docker.io/axllent/mailpit': {
    skeleton: 'alpine',
    machine: [...ALPINE_USR, ...OWN_NODE, `${stub('mailpit.mjs')}:/opt/stand-in/mailpit.mjs`],
    build(root) {
      putProgram(root, 'mailpit', '#!/bin/sh\nexec /opt/stand-in/node /opt/stand-in/mailpit.mjs "$@"\n')
    },
    changes: ['ENTRYPOINT ["/mailpit"]', 'EXPOSE 1025', 'EXPOSE 1110', 'EXPOSE 8025'],
  },
  'docker.io/localstack/localstack': {
    skeleton: 'debian',
    machine: [
      ...DEBIAN_USR,
      '/usr/share/zoneinfo',
      `${NODE}:/opt/stand-in/node`,
      `${stub('aws-front.mjs')}:/opt/stand-in/aws-front.mjs`,
      EMULATORS,
      ...pythons(),
    ],
    build(root) {
      putProgram(root, 'opt/stand-in/emulators', EMULATORS)
      copyInto(root, stub('localstack.sh'), '/usr/local/bin/docker-entrypoint.sh')
      copyInto(root, stub('awslocal.sh'), '/usr/local/bin/awslocal')
      mkdirSync(join(root, 'etc/localstack/init/ready.d'), { recursive: true })
      mkdirSync(join(root, 'var/lib/localstack'), { recursive: true })
    },
    changes: [
      'ENTRYPOINT ["docker-entrypoint.sh"]',
      'EXPOSE 4566',
      'VOLUME /var/lib/localstack',
      path('/usr/local/bin'),
    ],
  },
}

function path(before: string): string {
  return `ENV PATH=${before}:/usr/sbin:/usr/bin:/sbin:/bin`
}

/** Makes the directory, and gives it away. */
function own(root: string, directory: string, user: number, group: number): string {
  const made = join(root, directory)
  mkdirSync(made, { recursive: true })
  chmodSync(made, 0o755)
  chownSync(made, user, group)
  return made
}
