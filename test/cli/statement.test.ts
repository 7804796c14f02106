import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { maskMsisdn } from '../../src/values/msisdn.ts'
import { putPayment, referencesOf, SHORTCODE, statementOf } from '../core/statements/importing.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { openTestFolder } from '../support/folder.ts'
import { sumAll } from '../support/sum-all.ts'
import { TEST_SECRET_KEY } from '../support/vault.ts'

/** A payer's, as people write it. */
const NUMBERS = ['254712345678', '0712345678', '00254712345678']

describe('gateway statement', () => {
  let own: OpenDatabase
  let folder: Awaited<ReturnType<typeof openTestFolder>>
  let paymentId: bigint

  beforeAll(async () => {
    own = await openTestDatabase()
    folder = await openTestFolder()
    paymentId = await putPayment(own.database, { state: 'failed', at: '2026-11-25T09:00:00Z' })
  })
  afterAll(async () => {
    await own.close()
    await folder.close()
  })

  const run = (...words: string[]): Promise<Typed> =>
    typeCommand(words, {
      DATABASE_URL: own.url,
      SECRET_KEY: TEST_SECRET_KEY,
      DARAJA_SHORTCODE: SHORTCODE,
      SPOOL_DIR: folder.path,
    })

  it('imports a file, lists what does not fit with the command that mends it, and is mended by it', async () => {
    const account = referencesOf({ id: paymentId, reference: null, callback_nonce: null })[0]?.reference
    const path = join(folder.path, 'november.csv')
    await writeFile(
      path,
      statementOf([{ receipt: 'TKP0000001', at: '2026-11-25T09:00:20Z', ...(account && { account }) }]),
    )
    const imported = await run('statement', 'import', path)
    expect(imported).toMatchObject({ code: 0, stderr: '' })
    expect(imported.stdout).toMatch(/^Statement 1 is imported\.\n/)
    expect(imported.stdout).toMatch(/^paid_there +1 +1\ngateway statement exceptions --open --statement 1$/m)
    const again = await run('statement', 'import', path, '--json')
    expect(JSON.parse(again.stdout)).toMatchObject({
      statement_id: 1,
      already_imported: true,
      file_name: 'november.csv',
    })

    const open = await run('statement', 'exceptions', '--open')
    const command = `payments settle ${paymentId} --outcome successful --receipt TKP0000001 --reason`
    expect(open.stdout).toContain(
      `1  open  Payment ${paymentId} is failed here, but M-PESA has KES 150 for it`,
    )
    expect(open.stdout).toContain(`    gateway ${command}`)
    expect(await run(...command.split(' '), 'on the statement')).toMatchObject({ code: 0 })
    expect(await run('statement', 'exceptions', '--open')).toMatchObject({ stdout: 'Nothing is open.\n' })
    expect((await run('statement', 'show', '1')).stdout).toMatch(/^matched_lines +1$/m)
  })

  it.each(NUMBERS)('shows %s whole in no note, no account number and no name of a file', async (number) => {
    const path = join(folder.path, `${number}.csv`)
    const receipt = `TKN${number.slice(0, 7)}`
    await writeFile(path, statementOf([{ receipt, at: '2026-11-25T11:00:00Z', account: number }]))
    const imported = await run('statement', 'import', path, '--json')
    const { statement_id: id } = JSON.parse(imported.stdout)
    const list = ['statement', 'exceptions', '--statement', `${id}`]
    const note = ['--kind', 'unknown_here', '--note', `asked ${number}`]
    await run('statement', 'exceptions', 'acknowledge', '--statement', `${id}`, ...note)
    const said = [
      imported,
      await run(...list),
      await run(...list, '--json'),
      await run('statement', 'list'),
      await run('statement', 'show', `${id}`),
    ]
    expect(said.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    expect(said.map(({ stdout, stderr }) => stdout + stderr).join('\n')).not.toContain('712345678')
    const shown = maskMsisdn(number)
    expect(said[1]?.stdout).toContain(`asked ${shown}`)
    expect(JSON.parse(said[2]?.stdout ?? '')).toMatchObject([{ reference: shown, note: `asked ${shown}` }])
  })

  it('says of a file that is none what is wrong, and of one that is not there', async () => {
    const path = join(folder.path, 'broken.csv')
    await writeFile(path, `${statementOf([{ receipt: 'TKP0000002', at: '2026-11-25T09:00:20Z' }])}\r\nTKP`)
    expect(await run('statement', 'import', path)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'line 7: has 1 cells and the row of columns 10: is the file cut short?; nothing was stored\n',
    })
    expect(await run('statement', 'import', join(folder.path, 'none.csv'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/none\.csv cannot be read: ENOENT\n$/),
    })
    const large = join(folder.path, 'large.csv')
    await writeFile(large, '')
    // Of holes, which no disk holds.
    await truncate(large, 1024 ** 3 + 1)
    expect(await run('statement', 'import', large)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^The file has 1\.1 GiB; a statement may have 1 GiB at most\. Export it/),
    })
  })

  it('sums what was paid, as a table and as CSV', async () => {
    await putPayment(own.database, { state: 'successful', at: '2026-11-24T09:00:00Z', receipt: 'TKP0000009' })
    const days = ['totals', '--from', '2026-11-24', '--to', '2026-11-24']
    expect((await run(...days)).stderr).toContain('is still being summed by serve, 0 % of it so far')
    await sumAll(own.database)
    expect((await run(...days)).stdout).toMatch(/1 payments, KES 150 in all\.\nSummed up to 20.*Z\.\n$/)
    expect(await run(...days, '--csv')).toMatchObject({
      stdout: 'day,payments,amount_kes\n2026-11-24,1,150\n',
    })
    expect((await run('totals', '--from', '2026-11-25', '--to', '2026-11-24')).stderr).toBe(
      '--to must be the first day or a later one\n',
    )
  })
})
