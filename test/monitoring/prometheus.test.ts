// prometheus.yml as it is shipped, in a real Prometheus: the five jobs, their addresses from files of targets, rules.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Prometheus } from '../../local/drill/prometheus.ts'
import { freePort } from '../../local/embedded/port.ts'
import { at, NATIVE_TARGETS, renderPrometheus, renderTargets, type Targets } from '../../monitoring/scrape.ts'
import { startPrivatePrometheus } from './start-prometheus.ts'

const SHIPPED = join(import.meta.dirname, '../../monitoring/prometheus')
const timing = { evaluation_interval: 1_000, scale: 1 }

describe('promtool', () => {
  let dir: string
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'elemta-promtool-'))
    cpSync(SHIPPED, dir, { recursive: true })
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const check = () => execFileSync('promtool', ['check', 'config', 'prometheus.yml'], { cwd: dir, encoding: 'utf8' })

  test('finds nothing wrong with what is shipped, its rules and its targets', () => {
    expect(check()).toContain('prometheus.yml is valid')
  })

  test('nor with the example of remote write behind it', () => {
    writeFileSync(
      join(dir, 'prometheus.yml'),
      ['prometheus.yml', 'remote-write.yml'].map(name => readFileSync(join(SHIPPED, name), 'utf8')).join(''),
    )
    expect(check()).toContain('prometheus.yml is valid')
  })
})

test('parts in containers and on one machine differ in their files of targets alone', () => {
  const files = renderTargets(NATIVE_TARGETS)
  expect([...files.keys()]).toEqual([...renderTargets().keys()])
  expect([...files.values()].join('')).toContain('127.0.0.1:8080')
})

describe('scraping', () => {
  let asked: string[] // paths with their queries
  let server: Server
  let prometheus: Prometheus
  let own: string
  let everything: Targets

  beforeAll(async () => {
    asked = []
    server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end('sample 1\n')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const port = await freePort()
    own = `127.0.0.1:${port}`
    everything = {
      ...at({ elemta: address, clamav: address, rspamd: address, prometheus: own, alertmanager: address }),
      rspamd: [{ address, password: 'q1 w2' }],
    }
    const files = new Map([...renderPrometheus({ timing }), ...renderTargets(everything)])
    prometheus = await startPrivatePrometheus(below(files), { port })
  })

  afterAll(async () => {
    await prometheus?.stop()
    server?.closeAllConnections()
    server?.close()
  })

  const below = (files: ReadonlyMap<string, string>) =>
    Object.fromEntries([...files].map(([path, text]) => [path.replace('prometheus/', ''), text]))

  const up = async () =>
    Object.fromEntries((await prometheus.query('up')).map(({ labels, value }) => [labels.job, value]))

  test('all five jobs are up, each asked where it answers', async () => {
    const all = { elemta: 1, clamav: 1, rspamd: 1, prometheus: 1, alertmanager: 1 }
    await expect.poll(up, { timeout: 20_000 }).toEqual(all)
    expect(asked).toContain('/metrics/clamav')
    expect(asked).toContain('/metrics?password=q1+w2')
    expect(asked.filter(path => path.includes('password')).length).toBeLessThan(asked.length)
  }, 30_000)

  test('the password stays out of the series and of the list of targets’ labels', async () => {
    const series = await prometheus.query('{job="rspamd"}')
    expect(series.length).toBeGreaterThan(0)
    expect(JSON.stringify(series)).not.toContain('q1')
  })

  test('a changed file of targets is followed, with a path of its own', async () => {
    const moved: Targets = { ...everything, clamav: [{ ...everything.clamav[0]!, path: '/exporter' }] }
    await prometheus.reload(below(renderTargets(moved)))
    await expect.poll(() => asked, { timeout: 20_000 }).toContain('/exporter')
  }, 30_000)
})
