import { execFile } from 'node:child_process'
import { chown, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { createUnmigratedDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openTestFolder, type TestFolder } from '../support/folder.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { beginProcess, type StartingProcess } from '../support/gateway-process.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import { lastingPort } from '../support/ports.ts'
import type { Settings } from '../support/settings.ts'
import { commandOf, healthCommandOf } from './containerfile.ts'
import { buildImage, type Image } from './image.ts'
import { canHaveOwnRoot, type Entrance, enterToRun } from './own-root.ts'

// What deploy/Containerfile and deploy/compose.yaml say, done as far as a machine without an engine of containers can:
// the same steps in the same order into a folder, and processes that have this folder for their root.

const PROJECT = join(import.meta.dirname, '..', '..')

/** A spool of the image's own, where a volume is mounted. */
const SPOOL = '/var/lib/mpesa-gateway/spool'

const MAX_BYTES = 200 * 1024 * 1024

/** It writes some twenty thousand files, twice. */
const BUILD_TIMEOUT_MS = 300_000

/** What partners read, each of other files. */
const PAGES = ['/docs', '/docs/guide', '/docs/guide.md', '/docs/simulator', '/docs/verify/verify.py']

const SERVICE = z.looseObject({
  command: z.array(z.string()),
  user: z.string(),
  read_only: z.literal(true),
  tmpfs: z.array(z.string()),
  volumes: z.array(z.string()).default([]),
})

const COMPOSE = z
  .object({ services: z.record(z.string(), z.unknown()) })
  .parse(parse(await readFile(join(PROJECT, 'deploy', 'compose.yaml'), 'utf8'), { merge: true }))

describe.runIf(canHaveOwnRoot)('the image', () => {
  let folder: TestFolder
  let image: Image
  beforeAll(async () => {
    folder = await openTestFolder()
    image = await buildImage(folder.path)
  }, BUILD_TIMEOUT_MS)
  afterAll(() => folder?.close())

  /** A service of compose.yaml, in the image. */
  const enter = async (name: string, words?: readonly string[]): Promise<Entrance> => {
    const service = SERVICE.parse(COMPOSE.services[name])
    const volumes = service.volumes.map((volume) => volume.split(':').slice(0, 2) as [string, string])
    const places = [...service.tmpfs.map((place) => [`${name}-tmp`, place] as const), ...volumes]
    const writable: Record<string, string> = {}
    for (const [volume, place] of places) {
      const here = join(folder.path, volume)
      await mkdir(here, { recursive: true })
      await chown(here, 10_001, 10_001)
      writable[place] = here
    }
    const entrypoint = commandOf(image.said('ENTRYPOINT'))
    return enterToRun(
      {
        root: image.root,
        user: service.user,
        folder: image.folder,
        words: words ?? [...entrypoint, ...service.command],
      },
      writable,
    )
  }

  /** Runs it to its end; rejects for any exit code but 0. */
  const run = async (name: string, settings: Settings, words?: readonly string[]): Promise<string> => {
    const { file, args, environment } = await enter(name, words)
    const env = { ...environment, ...image.environment, ...settings }
    return (await promisify(execFile)(file, args, { env })).stdout
  }

  it('has the sources, what production needs, and nothing else', async () => {
    const app = join(image.root, 'app')
    expect(await readdir(app)).toEqual([
      'deploy',
      'dist',
      'docs',
      'node_modules',
      'package-lock.json',
      'package.json',
      'src',
    ])
    expect(await readdir(join(app, 'deploy'))).toEqual(['healthcheck.mjs'])
    expect(await readdir(join(image.root, 'local', 'bin'))).toEqual(['gateway', 'node'])
    const { packages } = z
      .object({ packages: z.record(z.string(), z.looseObject({ dev: z.boolean().default(false) })) })
      .parse(JSON.parse(await readFile(join(PROJECT, 'package-lock.json'), 'utf8')))
    const files = await readdir(join(app, 'node_modules'), { recursive: true })
    const installed = files
      .filter((name) => name.endsWith('/package.json'))
      .map((name) => `node_modules/${name.slice(0, -'/package.json'.length)}`)
    expect(
      installed.filter((path) => packages[path]?.dev === true || packages[path]?.['devOptional'] === true),
    ).toEqual([])
    const needed = Object.keys(packages).filter(
      (path) =>
        path !== '' && packages[path]?.['optional'] !== true && packages[path]?.['devOptional'] !== true,
    )
    expect(needed.filter((path) => packages[path]?.dev === false && !installed.includes(path))).toEqual([])
    const { stdout } = await promisify(execFile)('du', ['-sb', app])
    expect(Number.parseInt(stdout, 10)).toBeLessThan(MAX_BYTES)
  })

  describe('runs on files that it cannot write', () => {
    let empty: TestDatabase
    let gateway: TestGateway
    const processes: StartingProcess[] = []
    let ports: Record<'OPS_PORT' | 'DISPATCH_PORT' | 'CONSOLE_PORT', string>
    beforeAll(async () => {
      empty = await createUnmigratedDatabase()
      gateway = await startTestGateway()
      const [ops, dispatch, console] = [await lastingPort(), await lastingPort(), await lastingPort()]
      ports = { OPS_PORT: `${ops}`, DISPATCH_PORT: `${dispatch}`, CONSOLE_PORT: `${console}` }
    })
    afterAll(async () => {
      await Promise.all(processes.map((one) => one.end('SIGKILL')))
      await gateway?.close()
      await empty?.drop()
    })

    const settingsOf = (name: string): Settings => ({
      ...gateway.settings,
      SPOOL_DIR: SPOOL,
      HTTP_HOST: '127.0.0.1',
      OPS_HOST: '127.0.0.1',
      CONSOLE_HOST: '127.0.0.1',
      OPS_PORT: name === 'dispatch' ? ports.DISPATCH_PORT : ports.OPS_PORT,
      CONSOLE_PORT: ports.CONSOLE_PORT,
    })

    const start = async (name: string): Promise<StartingProcess> => {
      const { file, args, environment } = await enter(name)
      const given = { ...environment, ...image.environment, ...settingsOf(name) }
      const starting = beginProcess(file, [...args, '--json'], given)
      processes.push(starting)
      await starting.ready
      return starting
    }

    const askHealth = (name: string): Promise<string> =>
      run(name, settingsOf(name), healthCommandOf(image.said('HEALTHCHECK')))

    it('migrate brings an empty database up to date', async () => {
      expect(await run('migrate', { DATABASE_URL: empty.url })).toContain('The schema is current.')
    })

    it('serve and dispatch take a payment, have it paid, deliver that, and show what partners read', async () => {
      await expect(askHealth('serve')).rejects.toThrow()
      const started = await Promise.all([start('serve'), start('dispatch')])
      const answer = await fetch(`${gateway.httpUrl}/api/v1/mpesa/stk_push`, {
        method: 'POST',
        headers: { 'x-api-key': gateway.apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({
          phone: '254712345678',
          amount: 150,
          callback_url: `${gateway.world.receiver.url}/paid`,
        }),
      })
      const { transaction_id } = z.object({ transaction_id: z.number() }).parse(await answer.json())
      const [delivery] = await eventually(() => {
        const came = deliveriesOf(gateway.world.receiver, transaction_id)
        expect(came).toHaveLength(1)
        return came
      })
      expect(JSON.parse(delivery?.body ?? '')).toMatchObject({ status: 'successful' })
      await Promise.all([askHealth('serve'), askHealth('dispatch')])
      for (const page of PAGES) expect((await fetch(`${gateway.httpUrl}${page}`)).status, page).toBe(200)
      for (const one of started) {
        const status = await readFile(`/proc/${one.pid}/status`, 'utf8')
        expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m)
        expect(status).toMatch(/^CapEff:\t0+$/m)
        expect(await one.end()).toBe(0)
      }
    })

    it('the console shows its pages to an operator who was created in it', async () => {
      const started = await start('console')
      await askHealth('console')
      const create = ['gateway', 'operators', 'create', '--name', 'wanjiku', '--role', 'look']
      expect(await run('console', settingsOf('console'), create)).toContain('/sign-in/link#')
      const { status } = await fetch(`http://127.0.0.1:${ports.CONSOLE_PORT}/sign-in`)
      expect(status).toBe(200)
      expect(await started.end()).toBe(0)
    })

    it('but for the spool, what they would write is refused', async () => {
      const write = (path: string) => run('serve', {}, ['sh', '-c', `echo x > ${path}/written`])
      await write(SPOOL)
      await write('/tmp')
      for (const path of ['/app', '/app/node_modules/.cache', '/usr/local/bin', '/var/lib', '/etc'])
        await expect(write(path)).rejects.toThrow(/Read-only file system/)
    })
  })
})
