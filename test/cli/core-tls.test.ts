import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readCoreTls } from '../../src/cli/core-tls.ts'
import { readFacadeConfig } from '../../src/runtime/facade-config.ts'
import { createAuthority, selfSign } from '../support/certificates.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-core-tls-'))
  const authority = await createAuthority()
  const own = await authority.issue({ hosts: [] })
  const other = await selfSign({ hosts: ['localhost'] })
  await writeFile(join(folder, 'ca'), authority.cert)
  await writeFile(join(folder, 'cert'), own.cert)
  await writeFile(join(folder, 'key'), own.key)
  await writeFile(join(folder, 'other'), other.key)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const read = (url: string, files: Record<string, string> = {}, others: Record<string, string> = {}) =>
  readCoreTls(
    readFacadeConfig({
      PUBLIC_URL: 'https://payments.shop.co.ke',
      CORE_TOKEN: 'mps_x',
      CORE_URL: url,
      ...Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(folder, file)])),
      ...others,
    }).core,
  )

it.each(['http://127.0.0.1:9090', 'http://[::1]:9090', 'http://localhost:9090,http://127.0.0.2:1'])(
  'plaintext may go to %s',
  async (url) => {
    expect(await read(url)).toEqual({ ca: null, own: null })
  },
)

it.each(['http://10.0.0.7:9090', 'https://core:9090,http://core-2:9090'])(
  'plaintext to %s stops the start, unless it is allowed',
  async (url) => {
    await expect(read(url)).rejects.toThrow('leads beyond this machine, and keys would go there in plaintext')
    expect(await read(url, {}, { GRPC_ALLOW_PLAINTEXT: 'on' })).toEqual({ ca: null, own: null })
  },
)

it('reads who signed the core, and what it is shown', async () => {
  const tls = await read('https://core:9090', {
    CORE_TLS_CA: 'ca',
    CORE_TLS_CERT: 'cert',
    CORE_TLS_KEY: 'key',
  })
  expect(tls.ca?.toString()).toContain('BEGIN CERTIFICATE')
  expect(tls.own?.key.toString()).toContain('PRIVATE KEY')
})

it.each([
  ['https://core:9090', { CORE_TLS_CERT: 'cert' }, 'CORE_TLS_CERT and CORE_TLS_KEY belong together'],
  ['http://127.0.0.1:9090', { CORE_TLS_CA: 'ca' }, 'need a CORE_URL that starts with https://'],
  ['https://core:9090', { CORE_TLS_CA: 'none' }, 'CORE_TLS_CA must be a file that can be read'],
  ['https://core:9090', { CORE_TLS_CERT: 'cert', CORE_TLS_KEY: 'other' }, 'the key that of the certificate'],
])('refuses for %s %o', async (url, files, message) => {
  await expect(read(url, files)).rejects.toThrow(message)
})

it.each(['core:9090', 'http://core:9090/path', 'https://user@core:9090', 'grpc://core', 'https://a:1,'])(
  'CORE_URL may not be %s',
  (url) => {
    expect(() => read(url)).toThrow('CORE_URL must be URLs separated by commas')
  },
)
