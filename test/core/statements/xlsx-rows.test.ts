import { describe, expect, it } from 'vitest'
import { openRows } from '../../../src/core/statements/open-rows.ts'
import { StatementError } from '../../../src/core/statements/statement-error.ts'
import { fileOf, portalXlsx, readWhole, statementFixture, zipOf } from '../../support/statements.ts'

const problemOf = async (bytes: Buffer): Promise<string> => {
  const error: unknown = await readWhole(bytes).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof StatementError)) throw new Error('the file was taken', { cause: error })
  return error.message
}

const sheetOf = (rows: string): string => `<worksheet><sheetData>${rows}</sheetData></worksheet>`

describe('a statement in XLSX', () => {
  it('is read with shared texts, texts of its own, numbers, and times as Excel stores them', async () => {
    for (const pieceBytes of [11, 100_000]) {
      const { head, lines } = await readWhole(await portalXlsx(), pieceBytes)
      expect(head).toMatchObject({ shortcode: '600123', from: new Date('2026-11-24T21:00:00Z') })
      expect(lines).toMatchObject([
        {
          line: 8,
          receipt: 'TKP5AY9DLM',
          isCompleted: true,
          paidInCents: 150_000,
          reference: 'ORD1042',
          completedAt: new Date('2026-11-25T18:45:13Z'),
        },
        { line: 9, receipt: 'TKP2AX1QRS', paidInCents: 200_000, reference: '7KF3X' },
      ])
      expect(lines[1]?.completedAt).toEqual(new Date('2026-11-25T11:03:59Z'))
    }
  })

  it('is read as one in CSV is', async () => {
    const [xlsx, text] = [
      await readWhole(await portalXlsx()),
      await readWhole(await statementFixture('portal.csv')),
    ]
    expect(xlsx.lines[0]).toEqual(text.lines[0])
  })

  it.each(['1', 'true'])('that counts its days from 1904, %j, has the same times', async (flag) => {
    const sheet = String(await statementFixture('xlsx/sheet1.xml'))
    const bytes = await portalXlsx({
      'xl/workbook.xml': `<x:workbook xmlns:x="urn:x"><x:workbookPr date1904="${flag}"/></x:workbook>`,
      'xl/worksheets/sheet1.xml': sheet.replaceAll(/<v>(46\d{3}\.\d+)<\/v>/g, (_all, days: string) => {
        return `<v>${Number(days) - 1_462}</v>`
      }),
    })
    const [of1904, of1900] = [await readWhole(bytes), await readWhole(await portalXlsx())]
    expect(of1904.lines).toEqual(of1900.lines)
    expect(of1904.lines[1]?.completedAt).toEqual(new Date('2026-11-25T11:03:59Z'))
  })

  it.each(['\0', '&#0;'])('with a character that is none in a cell, %j, says so', async (character) => {
    const strings = String(await statementFixture('xlsx/sharedStrings.xml'))
    const bytes = await portalXlsx({ 'xl/sharedStrings.xml': strings.replace('ORD1042', `ORD${character}`) })
    expect(await problemOf(bytes)).toMatch(/code 0|XML/)
  })

  it('that is cut short, or no workbook, says so', async () => {
    const whole = await portalXlsx()
    const broken = /^the XLSX is broken or cut short/
    for (const part of [0.2, 0.5, 0.9]) {
      expect(await problemOf(whole.subarray(0, Math.floor(whole.length * part)))).toMatch(broken)
    }
    expect(await problemOf(await zipOf({ 'word/document.xml': '<w/>' }))).toMatch(/it has no sheet/)
    expect(await problemOf(await portalXlsx({ 'xl/worksheets/sheet1.xml': '<worksheet><row>' }))).toMatch(
      /its XML ends or goes on as none does/,
    )
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, 60, 400)
    expect(await problemOf(damaged)).toMatch(broken)
  })

  it('that declares entities is refused, whatever they are', async () => {
    const laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    const file = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    for (const doctype of [laughs, file]) {
      const sheet = `${doctype}${sheetOf('<row><c t="inlineStr"><is><t>&b;</t></is></c></row>')}`
      expect(await problemOf(await portalXlsx({ 'xl/worksheets/sheet1.xml': sheet }))).toMatch(
        /declares entities/,
      )
    }
    const unknown = sheetOf('<row><c t="inlineStr"><is><t>&unknown;</t></is></c></row>')
    expect(await problemOf(await portalXlsx({ 'xl/worksheets/sheet1.xml': unknown }))).toMatch(
      /its XML ends or goes/,
    )
  })

  it('that unfolds into far more than it is, is refused while little of it was unfolded', async () => {
    const text = `<si><t>${'a'.repeat(4_000)}</t></si>`
    const bomb = await portalXlsx({ 'xl/sharedStrings.xml': `<sst>${text.repeat(17_000)}</sst>` })
    expect(bomb.length).toBeLessThan(200_000)
    expect(await problemOf(bomb)).toMatch(
      /holds more text than fits into memory: export the statement as CSV/,
    )
  })

  it('with a row of too many cells is refused before they are made', async () => {
    const rows = sheetOf('<row r="1"><c r="XFD1"><v>1</v></c></row>')
    expect(await problemOf(await portalXlsx({ 'xl/worksheets/sheet1.xml': rows }))).toMatch(
      /more than 256 cells/,
    )
  })

  it('leaves what its holder says of trouble as it is', async () => {
    const whole = await portalXlsx()
    class Away extends Error {}
    const read = fileOf(whole)
    const away = {
      size: whole.length,
      read: (from: number, below: number) => {
        if (from === 0) return read.read(from, below)
        return (async function* (): AsyncGenerator<Buffer> {
          yield Buffer.alloc(1)
          await Promise.reject(new Away())
        })()
      },
    }
    await expect((await openRows(away)).rows.next()).rejects.toBeInstanceOf(Away)
  })
})
