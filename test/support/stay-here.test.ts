import { execFile } from 'node:child_process'
import { promises as dns, lookup } from 'node:dns'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { typeCommand } from './command.ts'
import { tried } from './loopback-only.mjs'
import { GATEWAY_SOURCES, TESTED_GATEWAY } from './tested-gateway.ts'

/** An address for documentation (RFC 5737): nobody is there. */
const ELSEWHERE = '192.0.2.1'

const errorOf = (host: string): Promise<NodeJS.ErrnoException> =>
  new Promise((resolve) => {
    connect(9, host).on('error', resolve)
  })

describe('a test', () => {
  afterEach(() => tried.splice(0))

  it('connects to no other machine', async () => {
    expect(await errorOf(ELSEWHERE)).toMatchObject({ code: 'ENETUNREACH' })
    await expect(fetch(`http://${ELSEWHERE}/`)).rejects.toThrow()
    expect(tried).toEqual([`connects to ${ELSEWHERE}`, `connects to ${ELSEWHERE}`])
  })

  it('asks nobody for names', async () => {
    await expect(promisify(lookup)('shop.co.ke')).rejects.toMatchObject({ code: 'EAI_AGAIN' })
    await expect(dns.lookup('shop.co.ke')).rejects.toMatchObject({ code: 'EAI_AGAIN' })
    const resolver = new dns.Resolver()
    resolver.setServers([ELSEWHERE])
    expect(() => resolver.resolve4('shop.co.ke')).toThrow(/leave this machine/)
    expect(tried).toHaveLength(3)
  })

  it('reaches this machine', async () => {
    expect(await errorOf('127.0.0.1')).toMatchObject({ code: 'ECONNREFUSED' })
    expect(await dns.lookup('localhost', { all: true })).not.toEqual([])
    expect(tried).toEqual([])
  })

  it.each(['src/cli/main.ts', 'gateway.mjs'])(
    'starts no %s that does, whatever environment it is given',
    async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'stay-here-'))
      const main = join(folder, name)
      await mkdir(join(main, '..'), { recursive: true })
      const dials = `process.getBuiltinModule('node:net').connect(9, '${ELSEWHERE}').on('error', (error) => console.log(error.code))`
      await writeFile(main, dials)
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [main], { env: {} })
      await rm(folder, { recursive: true })
      expect(stdout).toBe('ENETUNREACH\n')
      expect(stderr).toContain('a test would leave this machine')
    },
  )

  it.each([
    ['the sources', GATEWAY_SOURCES],
    ['the suite’s gateway', TESTED_GATEWAY],
  ])('types no command of %s that does', async (_whose, main) => {
    const words = ['partners', 'test-callback', '--url', `https://${ELSEWHERE}/callback`]
    const { code, stderr } = await typeCommand(words, { CALLBACK_ALLOW_PRIVATE_NETWORKS: 'on' }, '', { main })
    expect(stderr).toContain(`a test would leave this machine: connects to ${ELSEWHERE}`)
    expect(code).toBe(1)
  })
})
