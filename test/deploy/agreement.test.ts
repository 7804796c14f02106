import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { SETTINGS } from '../../src/runtime/settings.ts'
import { parseCallbackUrl } from '../../src/values/callback-url.ts'
import { parseMsisdn } from '../../src/values/msisdn.ts'
import { parseContainerfile } from './containerfile.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const DEPLOY = join(ROOT, 'deploy')

const read = (...path: string[]): Promise<string> => readFile(join(ROOT, ...path), 'utf8')

const PACKAGE = z
  .object({ version: z.string(), devDependencies: z.object({ node: z.string() }) })
  .parse(JSON.parse(await read('package.json')))

const FILES = (await readdir(DEPLOY, { recursive: true })).filter(
  (name) => !/^(?:prometheus|grafana)/.test(name) && /\.\w+$|file$/.test(name),
)
const TEXTS = new Map(
  await Promise.all(FILES.map(async (name) => [name, await read('deploy', name)] as const)),
)
const textOf = (name: string): string => TEXTS.get(name) ?? ''

const namesIn = (name: string, pattern: RegExp): string[] =>
  [...textOf(name).matchAll(pattern)].map(([, found]) => `${name} ${found}`)

/** What is in the environment of a container or a unit and is not the gateway's. */
const OTHERS = new Set(['NODE_ENV', 'POSTGRES_USER', 'POSTGRES_DB', 'POSTGRES_PASSWORD_FILE'])

/** The processes that every way to deploy has. */
const PROCESSES = ['serve', 'dispatch', 'console'] as const
type Process = (typeof PROCESSES)[number]

describe('what deploys the gateway', () => {
  it('names no setting that does not exist', () => {
    const named = FILES.flatMap((name) => {
      if (/\.env(?:\.example)?$/.test(name)) return namesIn(name, /^([A-Z_]+)=/gm)
      if (name.endsWith('.service')) return namesIn(name, /^Environment=([A-Z_]+)=/gm)
      if (name === 'Containerfile') return namesIn(name, /^(?:ENV| {3}) ([A-Z_]+)=/gm)
      if (name.endsWith('.yaml')) return namesIn(name, /^ +(?:- \{ name: )?([A-Z][A-Z_]+)(?:, value)?:/gm)
      return []
    })
    const settings = named.filter((one) => !OTHERS.has(one.split(' ')[1] ?? ''))
    expect(settings.length).toBeGreaterThan(40)
    expect(settings.filter((one) => !((one.split(' ')[1] ?? '') in SETTINGS))).toEqual([])
  })

  it('builds the image from what it copies, and is given nothing else', async () => {
    const copied = parseContainerfile(textOf('Containerfile'))
      .flatMap(({ steps }) => steps)
      .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1))
    const [first, ...given] = (await read('.dockerignore')).split('\n').filter((line) => /^[^#]/.test(line))
    expect(first).toBe('*')
    expect(given.toSorted()).toEqual([...new Set(copied)].map((name) => `!${name}`).toSorted())
  })

  it('is tried with a payment that is not refused', async () => {
    const [, text = '{}'] = /-d '(\{.*\})'/.exec(await read('docs', 'deploy.md')) ?? []
    const { phone, callback_url } = z
      .object({ phone: z.string(), callback_url: z.string() })
      .parse(JSON.parse(text))
    expect(parseMsisdn(phone)).toMatchObject({ ok: true })
    const policy = { allowHttp: false, allowPrivateNetworks: false }
    expect(parseCallbackUrl(callback_url, policy)).toMatchObject({ ok: true })
  })

  it('is of this version and of its Node', () => {
    const { version } = PACKAGE
    expect(textOf('Containerfile')).toContain(`ARG VERSION=${version}\n`)
    expect(textOf('Containerfile')).toContain(`/node:${PACKAGE.devDependencies.node}-`)
    const images = FILES.flatMap((name) => namesIn(name, /(?:mpesa-gateway:|newTag: )(\d[\w.-]*)/g))
    expect(images.length).toBeGreaterThan(5)
    expect(images.filter((one) => !one.endsWith(` ${version}`))).toEqual([])
    expect(textOf('kubernetes/migrate/migrate.yaml')).toContain(
      `name: gateway-migrate-${version.replaceAll('.', '-')} }`,
    )
  })

  it('gives every process the time to end that the operators’ page says', async () => {
    const page = (await read('docs', 'operations.md')).replaceAll('\n', ' ')
    const seconds = {
      serve: Number(/Give `serve` (\d+) seconds/.exec(page)?.[1]),
      dispatch: Number(/Give `dispatch` (\d+) seconds/.exec(page)?.[1]),
      console: Number(/and `console` (\d+)/.exec(page)?.[1]),
    }
    expect(seconds).toEqual({ serve: 90, dispatch: 30, console: 15 })
    const { services } = parse(textOf('compose.yaml'), { merge: true })
    for (const name of PROCESSES) {
      expect(services[name].stop_grace_period).toBe(`${seconds[name]}s`)
      const pod = podOf(name)
      expect(pod.terminationGracePeriodSeconds - sleepOf(pod)).toBe(seconds[name])
      expect(textOf(`systemd/mpesa-gateway-${name}@.service`)).toContain(
        `\nTimeoutStopSec=${seconds[name]}\n`,
      )
    }
  })

  it('has who partners reach on Kubernetes go on until no Service leads there any more', () => {
    const facade = parseAllDocuments(textOf('kubernetes/facade/facade.yaml'))[0]?.toJS().spec.template.spec
    for (const pod of [podOf('serve'), POD.parse(facade)]) expect(sleepOf(pod)).toBe(5)
    // A partner's request takes 20 seconds at the facade at the most, and what it needs at its end.
    expect(facade.terminationGracePeriodSeconds).toBe(35)
  })

  it('publishes HTTP_PORT and the console to the machine itself, and no other port', () => {
    for (const name of ['compose.yaml', 'compose.facade.yaml']) {
      const { services } = parse(textOf(name), { merge: true })
      const published = Object.values<{ ports?: string[] }>(services).flatMap(({ ports = [] }) => ports)
      expect(published.filter((port) => !/^127\.0\.0\.1:(?:80[78]0:8080|8083:8083)$/.test(port))).toEqual([])
    }
  })

  it('has Postgres asked at its port: while its image makes the database, only its socket answers', () => {
    const { test } = parse(textOf('compose.yaml'), { merge: true }).services.postgres.healthcheck
    expect(test.slice(0, 4)).toEqual(['CMD', 'pg_isready', '--host', '127.0.0.1'])
  })

  it('bounds the log of every process in a container', () => {
    const services = ['compose.yaml', 'compose.facade.yaml'].flatMap((name) =>
      Object.entries<{ command?: string[]; logging?: unknown }>(
        parse(textOf(name), { merge: true }).services,
      ),
    )
    const ours = services.filter(([, { command }]) =>
      /^(?:serve|dispatch|console|migrate)$/.test(command?.[0] ?? ''),
    )
    expect(ours).toHaveLength(5)
    for (const [name, { logging }] of ours)
      expect([name, logging]).toMatchObject([name, { options: { 'max-size': '50m', 'max-file': '10' } }])
  })

  it('gives Daraja a Service that leads to a serve which is not ready, and partners one that does not', () => {
    const services = parseAllDocuments(textOf('kubernetes/base/services.yaml')).map((one) => one.toJS())
    const shape = services.map(({ metadata, spec }) => [
      metadata.name,
      spec.publishNotReadyAddresses ?? false,
    ])
    expect(Object.fromEntries(shape)).toMatchObject({ 'gateway-api': false, 'gateway-callbacks': true })
    const [path] = parse(textOf('kubernetes/base/ingress.yaml')).spec.rules[0].http.paths
    expect(path).toMatchObject({ path: '/callbacks/', backend: { service: { name: 'gateway-callbacks' } } })
  })

  it('starts only what the gateway has a command for', async () => {
    const lines = [
      ...['compose.yaml', 'compose.facade.yaml'].flatMap((name) =>
        namesIn(name, /^ {4}command: \[([^\]]+)\]$/gm),
      ),
      ...FILES.filter((name) => name.startsWith('kubernetes/')).flatMap((name) =>
        namesIn(name, /^ +args: \[([^\]]+)\]$/gm),
      ),
      ...FILES.filter((name) => name.endsWith('.service')).flatMap((name) =>
        namesIn(name, /^ExecStart=\S+ \S+\/dist\/gateway\.mjs (.+)$/gm),
      ),
    ].filter((line) => !line.includes('--config'))
    expect(lines.length).toBeGreaterThan(12)
    const unknown = await Promise.all(
      lines.map(async (line) => {
        const [, word = '', option] = line.split(/,? /)
        const source = await read('src', 'cli', `${word}.ts`).catch(() => '')
        const isKnown = option === undefined || source.includes(`.option('${option}',`)
        return source.includes(`new Command('${word}')`) && isKnown ? [] : [line]
      }),
    )
    expect(unknown.flat()).toEqual([])
  })

  it('leads to the console at its port, privately, and from no ingress', () => {
    const port = SETTINGS.CONSOLE_PORT.default
    const [nginx, caddy] = [textOf('proxy/nginx.conf'), textOf('proxy/Caddyfile')]
    for (const text of [nginx, caddy]) expect(text).toContain(`127.0.0.1:${port}`)
    expect(/server_name console\.gateway\.example;[\s\S]*\n {4}deny all;/.test(nginx)).toBe(true)
    expect(/console\.gateway\.example \{[\s\S]*not remote_ip private_ranges/.test(caddy)).toBe(true)
    const [deployment, service] = parseAllDocuments(textOf('kubernetes/base/console.yaml')).map((one) =>
      one.toJS(),
    )
    expect(deployment.spec.replicas).toBe(1)
    expect(service.spec.ports).toEqual([{ name: 'console', port: Number(port), targetPort: 'console' }])
    expect(textOf('kubernetes/base/ingress.yaml')).not.toContain('console')
  })

  it('asks each process on Kubernetes how it is, at its own port for operators', () => {
    const numbers = { serve: 8081, dispatch: 8082, console: 8084 } as const
    for (const name of PROCESSES) {
      const [container] = podOf(name).containers
      const port = 'operations'
      expect(container).toMatchObject({
        ports: expect.arrayContaining([{ name: port, containerPort: numbers[name] }]),
        startupProbe: { httpGet: { path: '/healthz', port } },
        livenessProbe: { httpGet: { path: '/healthz', port } },
        readinessProbe: { httpGet: { path: '/readyz', port } },
      })
      expect(SETTINGS.OPS_PORT.help).toContain(`${numbers[name]} for \`${name}\``)
    }
  })

  it('lets Prometheus alone in where a process shows its metrics', () => {
    const policies = parseAllDocuments(textOf('kubernetes/base/network-policies.yaml')).map((one) =>
      one.toJS(),
    )
    const numbers = { serve: 8081, dispatch: 8082, console: 8084 } as const
    for (const name of PROCESSES) {
      const { spec } = policies.find(({ metadata }) => metadata.name === `gateway-${name}`)
      const ways = spec.ingress.filter(({ ports }: { ports: { port: number }[] }) =>
        ports.some(({ port }) => port === numbers[name]),
      )
      const labels = { 'kubernetes.io/metadata.name': 'monitoring' }
      expect(ways).toEqual([
        { from: [{ namespaceSelector: { matchLabels: labels } }], ports: [{ port: numbers[name] }] },
      ])
    }
  })

  it('has Prometheus’s operator ask the pods whose jobs the rules name, at the port that they have', () => {
    const { spec } = parse(textOf('kubernetes/prometheus/pod-monitor.yaml'))
    const [{ key, values }] = spec.selector.matchExpressions
    expect(spec.jobLabel).toBe(key)
    const jobs = namesIn('kubernetes/prometheus/rules.yaml', /job="([^"]+)"/g).map((one) => one.split(' ')[1])
    expect(jobs.length).toBeGreaterThan(2)
    expect(jobs.filter((job) => !values.includes(job))).toEqual([])
    const files = [
      'kubernetes/base/serve.yaml',
      'kubernetes/base/dispatch.yaml',
      'kubernetes/base/console.yaml',
      'kubernetes/facade/facade.yaml',
    ]
    const pods = files.map((name) => parseAllDocuments(textOf(name))[0]?.toJS().spec.template)
    expect(pods.map(({ metadata }) => metadata.labels[key])).toEqual(values)
    const [{ port }] = spec.podMetricsEndpoints
    for (const pod of pods)
      expect(pod.spec.containers[0].ports).toContainEqual(expect.objectContaining({ name: port }))
  })

  it('lets what POSTs to partners reach public addresses alone: test callbacks go where deliveries go', () => {
    const policies = parseAllDocuments(textOf('kubernetes/base/network-policies.yaml')).map((one) =>
      EGRESS_POLICY.parse(one.toJS()),
    )
    const egressOf = (name: string) =>
      policies.filter((one) => selects(one, name)).flatMap(({ spec }) => spec.egress ?? [])
    const publicAddresses = egressOf('gateway-dispatch').filter(({ to }) => to !== undefined)
    expect(publicAddresses).toHaveLength(1)
    expect(publicAddresses[0]?.to?.[0]?.ipBlock?.except).toContain('10.0.0.0/8')
    const anywhere = egressOf('gateway-dispatch').filter(({ to }) => to === undefined)
    expect(anywhere.flatMap(({ ports = [] }) => ports.map(({ port }) => port))).toEqual([53, 53, 5432, 4222])
    expect(egressOf('gateway-console')).toEqual(egressOf('gateway-dispatch'))
  })

  it('runs as nobody, on files that cannot be written', () => {
    for (const name of PROCESSES) {
      const pod = podOf(name)
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: 'RuntimeDefault' },
      })
      expect(parse(textOf('compose.yaml'), { merge: true }).services[name]).toMatchObject({
        user: '10001:10001',
        read_only: true,
        tmpfs: ['/tmp'],
        cap_drop: ['ALL'],
      })
      expect(pod.containers[0]?.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
    }
    expect(textOf('Containerfile')).toContain('\nUSER 10001:10001\nVOLUME /var/lib/mpesa-gateway/spool\n')
  })
})

const EGRESS_POLICY = z.looseObject({
  spec: z.looseObject({
    podSelector: z.object({
      matchLabels: z.record(z.string(), z.string()).optional(),
      matchExpressions: z.array(z.object({ values: z.array(z.string()) })).optional(),
    }),
    egress: z
      .array(
        z.object({
          to: z.array(z.object({ ipBlock: z.object({ except: z.array(z.string()).optional() }) })).optional(),
          ports: z.array(z.object({ port: z.number() })).optional(),
        }),
      )
      .optional(),
  }),
})

/** Whether a policy is about the pods of a name: each has that name, and is a part of the gateway. */
const selects = ({ spec }: z.output<typeof EGRESS_POLICY>, name: string): boolean => {
  const { matchLabels = {}, matchExpressions = [] } = spec.podSelector
  return (
    [undefined, name].includes(matchLabels['app.kubernetes.io/name']) &&
    matchExpressions.every(({ values }) => values.includes(name))
  )
}

const LIFECYCLE = z.object({ preStop: z.object({ sleep: z.object({ seconds: z.number() }) }) })

const POD = z.looseObject({
  terminationGracePeriodSeconds: z.number(),
  securityContext: z.looseObject({}),
  containers: z.array(z.looseObject({ securityContext: z.unknown(), lifecycle: LIFECYCLE.optional() })),
})

/** How long a pod waits before it is asked to end, seconds. */
const sleepOf = (pod: z.output<typeof POD>): number =>
  pod.containers[0]?.lifecycle?.preStop.sleep.seconds ?? 0

const podOf = (name: Process): z.output<typeof POD> =>
  POD.parse(parseAllDocuments(textOf(`kubernetes/base/${name}.yaml`))[0]?.toJS().spec.template.spec)
