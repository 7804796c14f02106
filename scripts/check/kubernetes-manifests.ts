import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { runCommand } from './run-command.ts'

type Manifest = { apiVersion: string; kind: string }

/** What kustomize itself reads, and patches, which are no whole objects. */
const isWhole = (value: unknown): value is Manifest =>
  typeof value === 'object' &&
  value !== null &&
  'kind' in value &&
  value.kind !== 'Kustomization' &&
  'apiVersion' in value

/**
 * Holds manifests against the types that are generated from the API of Kubernetes: unlike its server, the compiler
 * refuses a field that does not exist. `sources` are YAML; what is wrong comes back, a line each.
 */
export const judgeManifests = async (
  root: string,
  sources: readonly { path: string; text: string }[],
): Promise<string[]> => {
  // Below the project, so that the compiler finds the types.
  const cache = join(root, 'node_modules', '.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'manifests-'))
  try {
    const modules = sources.flatMap(({ path, text }) =>
      parseAllDocuments(text)
        .map((document): unknown => document.toJS())
        .filter(isWhole)
        .map((manifest) => ({ path, manifest })),
    )
    if (modules.length === 0) return ['there are no manifests']
    const names = modules.map((_one, index) => `manifest-${index}.ts`)
    for (const [index, { manifest }] of modules.entries())
      await writeFile(join(folder, names[index] ?? ''), asModule(manifest))
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--ignoreConfig', '--types', '']
    const flags = [...options, '--target', 'esnext', '--module', 'nodenext']
    const { code, output, problem } = await runCommand(root, 'tsc', [
      ...flags,
      ...names.map((name) => join(folder, name)),
    ])
    if (code === 0) return []
    return [
      problem ?? output.replaceAll(/\S*manifest-(\d+)\.ts/g, (_all, index) => nameOf(modules[Number(index)])),
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const nameOf = (module: { path: string; manifest: Manifest } | undefined): string =>
  module === undefined ? '' : `deploy/kubernetes/${module.path} ${module.manifest.kind}`

/** Prometheus's operator has kinds of its own; their types are made from its definitions, as those of Kubernetes are. */
const typesOf = (apiVersion: string): string =>
  apiVersion.startsWith('monitoring.coreos.com/')
    ? `@kubernetes-models/prometheus-operator/${apiVersion}`
    : `kubernetes-models/${apiVersion}`

const asModule = (manifest: Manifest): string => {
  const { apiVersion, kind } = manifest
  const text = JSON.stringify(manifest, null, 2)
  return `import type { I${kind} } from '${typesOf(apiVersion)}'\n\nexport const manifest = ${text} satisfies I${kind}\n`
}
