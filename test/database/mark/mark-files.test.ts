import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Mark } from '../../../src/database/mark/mark.ts'
import { openMarkFile, readMarks } from '../../../src/database/mark/mark-files.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'marks-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

const markOf = (newestPayment: bigint): Mark => ({
  writtenAtMs: Number(newestPayment),
  identity: { system: 's', timeline: 't', database: 'd', epoch: 'e' },
  lineage: 'e',
  seen: { payments_id_seq: newestPayment },
  ceilings: {},
  newestPayment,
  alarm: null,
})

it('what a process that was killed left unfinished is gone once another has started', async () => {
  await writeFile(join(folder, 'killed.mark.tmp'), '{"version":1,')
  await openMarkFile(folder, 'next').takeOver(markOf(1n))
  expect(await readdir(folder)).toEqual(['next.mark'])
})

it('processes that start beside one that writes take no mark from it before it is whole', async () => {
  const live = openMarkFile(folder, 'live')
  let isDone = false
  const newestSeen = async (): Promise<bigint | undefined> =>
    (await readMarks(folder)).mark?.seen['payments_id_seq']
  const write = async (): Promise<void> => {
    for (let newest = 1n; !isDone; newest += 1n) {
      await live.write(markOf(newest))
      // In its own, or in that of one who has taken it over.
      expect(await newestSeen()).toBe(newest)
    }
  }
  const startMany = async (): Promise<void> => {
    for (let count = 0; count < 50; count += 1)
      await openMarkFile(folder, `start-${count}`).takeOver((await readMarks(folder)).mark ?? markOf(0n))
  }
  await Promise.all([write(), startMany().finally(() => (isDone = true))])
})
