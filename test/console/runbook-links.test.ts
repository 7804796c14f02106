import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ALERTS } from '../../scripts/alerts/alerts.ts'
import { openConsole, type TestConsole } from './harness.ts'

const RUNBOOKS = join(import.meta.dirname, '..', '..', 'docs', 'runbooks')

let test: TestConsole

beforeAll(async () => {
  test = await openConsole()
})
afterAll(() => test.stop())

it('every page of the console that an alert or a runbook leads to is there', async () => {
  const operator = await test.as('look')
  const led: (readonly [from: string, path: string])[] = ALERTS.map(({ name, console }) => [name, console])
  for (const name of await readdir(RUNBOOKS)) {
    const text = await readFile(join(RUNBOOKS, name), 'utf8')
    for (const [, paths = ''] of text.matchAll(/Console: (`\/[^.]*)\./g))
      for (const [, path = ''] of paths.matchAll(/`(\/[^`]*)`/g)) led.push([name, path])
  }
  expect(led.length).toBeGreaterThan(70)
  for (const [name, path] of led)
    expect([name, path, (await operator.get(path)).status]).toEqual([name, path, 200])
})
