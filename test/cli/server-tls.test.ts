import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readServerTls } from '../../src/cli/server-tls.ts'
import { createAuthority, selfSign } from '../support/certificates.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-tls-'))
  const authority = await createAuthority()
  const own = await authority.issue({ hosts: ['localhost'] })
  const other = await selfSign({ hosts: ['localhost'] })
  await writeFile(join(folder, 'cert'), own.cert)
  await writeFile(join(folder, 'key'), own.key)
  await writeFile(join(folder, 'ca'), authority.cert)
  await writeFile(join(folder, 'other'), other.key)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const read = (given: {
  host?: string
  allowPlaintext?: boolean
  files?: Partial<Record<'cert' | 'key' | 'ca', string>>
}) => {
  const { host = '127.0.0.1', allowPlaintext = false } = given
  const { cert, key, ca } = given.files ?? {}
  const path = (name: string | undefined) => (name === undefined ? null : join(folder, name))
  return readServerTls({
    host,
    allowPlaintext,
    tlsCert: path(cert),
    tlsKey: path(key),
    tlsClientCa: path(ca),
  })
}

it.each(['127.0.0.1', '127.0.0.2', '::1', 'localhost'])('plaintext may be heard at %s', async (host) => {
  expect(await read({ host })).toBeNull()
})

it.each(['0.0.0.0', '::', '10.0.0.7', 'gateway.internal', '127.0.0.1.example.com'])(
  'plaintext at %s stops the start, unless it is allowed',
  async (host) => {
    await expect(read({ host })).rejects.toThrow(
      `GRPC_HOST ${host} is not this machine alone, and gRPC and Connect would speak plaintext there: set GRPC_TLS_CERT and GRPC_TLS_KEY, or GRPC_ALLOW_PLAINTEXT=on`,
    )
    expect(await read({ host, allowPlaintext: true })).toBeNull()
    const tls = await read({ host, files: { cert: 'cert', key: 'key', ca: 'ca' } })
    expect(tls?.clientCa).not.toBeNull()
  },
)

it.each([
  [{ cert: 'cert' }, 'GRPC_TLS_CERT and GRPC_TLS_KEY belong together'],
  [{ key: 'key' }, 'GRPC_TLS_CERT and GRPC_TLS_KEY belong together'],
  [{ ca: 'ca' }, 'GRPC_TLS_CLIENT_CA needs GRPC_TLS_CERT and GRPC_TLS_KEY'],
  [{ cert: 'none', key: 'key' }, 'GRPC_TLS_CERT must be a file that can be read'],
  [{ cert: 'cert', key: 'other' }, 'must be PEM files, the key that of the certificate'],
  [{ cert: 'key', key: 'key' }, 'must be PEM files'],
])('%j stops the start', async (files, message) => {
  await expect(read({ files })).rejects.toThrow(message)
})
