import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Disk, systemDisk } from '../../../src/core/callback/spool-files.ts'
import { openTestSpool } from '../../support/core.ts'
import { type Image, imagesAfter } from './power-cut/images.ts'
import { cutEverywhere, judge, type Known, type Verdict } from './power-cut/judge.ts'
import { createMemoryDisk } from './power-cut/memory-disk.ts'
import { createStage, killedBefore, SCENARIOS } from './power-cut/scenarios.ts'
import { received } from './received.ts'

describe('every state in which a power cut may leave the disk', () => {
  const known: Known = new Map()
  const sum: Verdict = { cuts: 0, states: 0, problems: [] }
  const add = (verdict: Verdict): void => {
    sum.cuts += verdict.cuts
    sum.states += verdict.states
  }
  afterAll(() => {
    process.stdout.write(
      `power cuts: at ${sum.cuts} instants, ${sum.states} states of the disk, ${known.size} of them different\n`,
    )
  })

  it.each(Object.entries(SCENARIOS))(
    'holds each acknowledged callback and invents none: %s',
    async (_name, play) => {
      const stage = createStage()
      await play(stage)
      const verdict = await cutEverywhere(stage.disk, { tearing: 'bytes', known })
      add(verdict)
      expect(verdict.problems.slice(0, 5)).toEqual([])
      expect(verdict.states).toBeGreaterThan(1_000)
    },
    180_000,
  )

  it('holds them also when a process was killed before, at whichever call, and another went on', async () => {
    const problems: string[] = []
    let call = 1
    for (; ; call += 1) {
      const stage = createStage()
      const from = await killedBefore(call)(stage)
      if (from === null) break
      const verdict = await cutEverywhere(stage.disk, { tearing: 'sectors', from, known })
      add(verdict)
      problems.push(...verdict.problems.map((problem) => `killed before call ${call}, ${problem}`))
    }
    expect(problems.slice(0, 5)).toEqual([])
    expect(call).toBeGreaterThan(40)
  }, 60_000)
})

describe('what is found after a power cut', () => {
  const given = { kind: 'given', id: 'a', record: 'A' } as const
  const acknowledged = { kind: 'acknowledged', id: 'a' } as const
  const nothing = { replayed: [], aside: [], problems: [] }

  it.each([
    ['it was never acknowledged', [given], nothing, 0],
    ['it is lost', [given, acknowledged], nothing, 1],
    ['Postgres has it', [given, { kind: 'stored', id: 'a' }, acknowledged], nothing, 0],
    ['it is replayed', [given, acknowledged], { ...nothing, replayed: [{ id: 'a', record: 'A' }] }, 0],
    [
      'it is replayed otherwise',
      [given, acknowledged],
      { ...nothing, replayed: [{ id: 'a', record: 'B' }] },
      1,
    ],
    ['it never came', [], { ...nothing, replayed: [{ id: 'a', record: 'A' }] }, 1],
    ['damage is kept', [{ kind: 'damaged', bytes: 'X' }], { ...nothing, aside: ['X'] }, 0],
    ['damage is gone', [{ kind: 'damaged', bytes: 'X' }], nothing, 1],
    ['the replay ends', [], { ...nothing, problems: ['it ends'] }, 1],
  ] as const)('is judged: %s', (_what, notes, recovered, count) => {
    expect(
      judge(notes, {
        problems: [...recovered.problems],
        aside: [...recovered.aside],
        replayed: [...recovered.replayed],
      }),
    ).toHaveLength(count)
  })
})

describe('the states of a disk', () => {
  const render = (image: Image): string =>
    [...image]
      .map(([path, content]) => (content === 'folder' ? path : `${path}=${content.toString('hex')}`))
      .join(' ')
  const statesAfter = async (work: (disk: Disk) => Promise<unknown>): Promise<string[]> => {
    const memory = createMemoryDisk<never>()
    await work(memory.forProcess().disk)
    return [...new Set([...imagesAfter(memory.steps, memory.root, 'bytes')].map(render))].sort()
  }
  const create = async (disk: Disk, path: string) => {
    const file = await disk.open(path, 'wx')
    await (await disk.open('/', 'r')).sync()
    return file
  }

  it('are a file that is there or not until its folder is synced', async () => {
    expect(await statesAfter((disk) => disk.open('/a', 'wx'))).toEqual(['', '/a='])
    expect(await statesAfter((disk) => create(disk, '/a'))).toEqual(['/a='])
  })

  it('are a write that is torn at any byte, or zeros, until its file is synced', async () => {
    const write = async (disk: Disk) => {
      const file = await create(disk, '/a')
      await file.write(Buffer.from([1, 2]), 0, 2, 0)
      return file
    }
    expect(await statesAfter(write)).toEqual(['/a=', '/a=0000', '/a=0002', '/a=01', '/a=0100', '/a=0102'])
    expect(await statesAfter(async (disk) => (await write(disk)).sync())).toEqual(['/a=0102'])
  })

  it('are a rename under one of both names, and in the order of a name', async () => {
    const rename = async (disk: Disk) => {
      await create(disk, '/a')
      await disk.rename('/a', '/b')
    }
    expect(await statesAfter(rename)).toEqual(['/a=', '/b='])
    expect(
      await statesAfter(async (disk) => {
        await rename(disk)
        await disk.rm('/b', { force: true })
      }),
    ).toEqual(['', '/a=', '/b='])
  })

  it('leave what a failed sync covered unknown for ever', async () => {
    const memory = createMemoryDisk<never>()
    const { disk } = memory.forProcess({ failedFileSync: 1 })
    const file = await create(disk, '/a')
    await file.write(Buffer.from([1]), 0, 1, 0)
    await expect(file.sync()).rejects.toThrow('EIO')
    await file.sync()
    const states = [...imagesAfter(memory.steps, memory.root, 'bytes')].map(render)
    expect([...new Set(states)].sort()).toEqual(['/a=', '/a=00', '/a=01'])
  })
})

describe('the disk in memory', () => {
  /** Uses the spool, and tells what its folder holds in the end. */
  const use = async (disk: Disk, folder: string): Promise<string[]> => {
    let names = 0
    const spool = await openTestSpool(folder, { disk, newId: () => `file-${(names += 1)}`, leftBehindMs: 0 })
    const callbacks = Array.from({ length: 4 }, (_one, at) =>
      received({ id: `019ac000-0000-7000-8000-00000000000${at}`, received_at: new Date(0) }),
    )
    for (const callback of callbacks.slice(0, 2)) await spool.add(callback)
    const file = await spool.nextFile()
    if (file === null || callbacks[2] === undefined) throw new Error('the spool has a file to be replayed')
    await spool.quarantine(file, callbacks[2])
    await spool.remove(file)
    await spool.add(received({ ...callbacks[3] }))
    await spool.nextFile()
    const found = (await disk.readdir(folder)).sort()
    return Promise.all(
      found.map(async (name) => `${name} ${(await disk.readFile(join(folder, name))).toString('latin1')}`),
    )
  }

  it('leaves what a real one does', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-spool-'))
    try {
      const real = await use(systemDisk, join(folder, 'spool'))
      expect(await use(createMemoryDisk<never>().forProcess().disk, '/spool')).toEqual(real)
      expect(real.map((file) => file.split(' ')[0])).toEqual([
        expect.stringMatching(/\.aside$/),
        'file-2.sealed',
      ])
      expect(await readdir(join(folder, 'spool'))).toHaveLength(2)
      expect((await readFile(join(folder, 'spool', 'file-2.sealed'))).length).toBeGreaterThan(100)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
