import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const GATEWAY = fileURLToPath(new URL('../../src/cli/gateway.ts', import.meta.url))

/** Prints every file that is read to load the commands that begin with the word. */
const PROGRAM = `
  import { registerHooks } from 'node:module'
  registerHooks({ load: (url, context, next) => (console.log(url), next(url, context)) })
  const { loadCommands } = await import(process.argv[1])
  await loadCommands(process.argv[2], {})
`

const filesRead = async (word: string): Promise<string[]> => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    PROGRAM,
    GATEWAY,
    word,
  ])
  return stdout.trimEnd().split('\n')
}

// What a command costs is nearly all the reading of sources.
it.each(['partners', 'tokens', 'payments', 'deliveries', 'payers', 'audit'])(
  'gateway %s reads no HTTP client, no server, no migration and no writer of CSV',
  async (word) => {
    const files = await filesRead(word)
    expect(files.length).toBeGreaterThan(100)
    const unused =
      /node_modules\/(undici|fastify|nats|@grpc|prom-client|csv-stringify)\/|\/database\/migrations\//
    expect(files.filter((file) => unused.test(file))).toEqual([])
  },
)
