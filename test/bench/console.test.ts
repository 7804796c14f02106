import { execFile } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { consolePages, PAGES_WITHOUT_DATA } from '../../bench/support/console-pages.ts'
import { addConsoleRows } from '../../bench/support/console-rows.ts'
import { createConsole } from '../../src/console/server.ts'
import { openConsole, type TestConsole } from '../console/harness.ts'
import { loadHistory } from '../support/history.ts'
import { addPartner } from '../support/partner.ts'

let test: TestConsole
beforeAll(async () => {
  test = await openConsole()
})
afterAll(() => test.stop())

const routesOfConsole = async (): Promise<string[]> => {
  const routes: string[] = []
  const app = await createConsole(test.parts, { onRoute: (route) => routes.push(route) })
  await app.close()
  return routes.flatMap((route) =>
    route.startsWith('GET ') && !route.includes('/assets/') ? [route.slice('GET '.length)] : [],
  )
}

it('every page of the console that shows data is measured, with a filter that its form has', async () => {
  await addPartner(test.database)
  await loadHistory(test.database, { payments: 50, partners: 1 })
  const statementId = await addConsoleRows(test.database)
  const pages = await consolePages({ database: test.database, statementId, draws: 1 })
  const measured = [...new Set(pages.map(({ route }) => route)), ...PAGES_WITHOUT_DATA]
  expect(measured.toSorted()).toEqual((await routesOfConsole()).toSorted())
  const operator = await test.as('money')
  for (const { what, paths } of pages)
    expect([what, paths[0], (await operator.get(paths[0] ?? '')).status]).toEqual([what, paths[0], 200])
})

/** Whether a page is fast enough is not asked of a machine that runs tests. */
const bench = (line: string): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, ['bench/main.ts', ...line.split(' ')], (error, stdout, stderr) =>
      stdout.includes('aim:') ? resolve(stdout) : reject(error ?? new Error(stderr)),
    )
  })

it('the benchmark asks for them', { timeout: 180_000 }, async () => {
  const text = await bench('console --payments 100 --seconds 0 --is-fresh')
  expect(text).toMatch(/^ *\/payments\/:id +one /m)
  expect(text).toMatch(/aim: a p95 of at most 300 ms\n$/)
})
