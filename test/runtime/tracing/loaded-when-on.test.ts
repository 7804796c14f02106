import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const sourceOf = (path: string): string => fileURLToPath(new URL(`../../../src/${path}`, import.meta.url))

/** Opens what makes spans by each environment, and prints what was read of OpenTelemetry by then. */
const PROGRAM = `
  import { registerHooks } from 'node:module'
  const read = []
  registerHooks({ load: (url, context, next) => (read.push(url), next(url, context)) })
  const [config, tracing, environments] = process.argv.slice(1)
  const { readDispatchConfig } = await import(config)
  const { openTracing } = await import(tracing)
  const { Registry } = (await import('prom-client')).default
  for (const environment of JSON.parse(environments)) {
    const parts = { name: 'serve', registry: new Registry(), log: console, secrets: [] }
    const opened = await openTracing({ config: readDispatchConfig(environment), ...parts })
    const files = read.filter((file) => /@opentelemetry\\//.test(file) && !/@opentelemetry\\/api\\//.test(file))
    console.log(JSON.stringify({ isOn: opened !== undefined, files }))
    await opened?.close()
  }
`

type Opened = { isOn: boolean; files: string[] }

const open = async (environments: Record<string, string>[]): Promise<Opened[]> => {
  const given = environments.map((one) => ({
    DATABASE_URL: 'postgres://127.0.0.1/none',
    SECRET_KEY: 'ab'.repeat(32),
    ...one,
  }))
  const sources = ['runtime/dispatch-config.ts', 'runtime/tracing/tracing.ts']
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    PROGRAM,
    ...sources.map(sourceOf),
    JSON.stringify(given),
  ])
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Opened)
}

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }

it('nothing of OpenTelemetry’s SDK is loaded unless a collector is set', async () => {
  const opened = await open([
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: '' },
    { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' },
    { ...ENDPOINT, OTEL_SDK_DISABLED: 'true' },
    ENDPOINT,
  ])
  const off = { isOn: false, files: [] }
  expect(opened.slice(0, -1)).toEqual([off, off, off, off])
  expect(opened.at(-1)?.isOn).toBe(true)
  expect(opened.at(-1)?.files.join('\n')).toMatch(/@opentelemetry\/sdk-trace\//)
})

it('only what sends spans imports it, and whoever imports that does so when it is needed', async () => {
  const root = sourceOf('')
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const files = await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(root, name), 'utf8') })),
  )
  const importers = (pattern: RegExp): string[] =>
    files.filter(({ text }) => pattern.test(text)).map(({ name }) => name)
  expect(importers(/(?:from|import\()\s*'@opentelemetry\//)).toEqual(['runtime/tracing/export-spans.ts'])
  expect(importers(/from '[^']*export-spans\.ts'/)).toEqual([])
  expect(importers(/await import\('[^']*export-spans\.ts'\)/)).toEqual(['runtime/tracing/tracing.ts'])
})
