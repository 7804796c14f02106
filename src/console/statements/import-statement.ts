import { randomUUID } from 'node:crypto'
import type { SafeHtml } from '@remix-run/html-template'
import { explainTooLarge, MOST_STATEMENT_BYTES } from '../../values/statement-size.ts'
import { fileForm } from '../page/form.ts'
import { Refusal } from '../refusal.ts'
import type { Done } from '../route.ts'
import type { FileBound, UploadCall } from '../upload.ts'

export const IMPORT_PATH = '/statements/import'

export const importForm = (): SafeHtml =>
  fileForm({
    action: IMPORT_PATH,
    button: 'Import it',
    fields: [{ name: 'shortcode', label: 'Shortcode', hint: 'Only where the file does not say it.' }],
    label: 'Statement, CSV or XLSX as M-PESA’s portal exports it',
    accept: '.csv,.xlsx',
    most: { bytes: MOST_STATEMENT_BYTES, sentence: explainTooLarge(null) },
  })

export const STATEMENT_BOUND: FileBound = { mostBytes: MOST_STATEMENT_BYTES, explain: explainTooLarge }

/**
 * Hands the file over as it comes and imports it; no payment is changed, and the same file again changes nothing. What
 * was handed over of a file that is not imported is taken away: nobody else knows of it.
 */
export const importStatement = async (call: UploadCall): Promise<Done> => {
  const uploadId = randomUUID()
  try {
    return await handOver(call, uploadId)
  } catch (error) {
    // Where that fails too, it goes after a day.
    await call.clients.uploads.forget(uploadId).catch(() => undefined)
    throw error
  }
}

const handOver = async ({ clients, form, file }: UploadCall, uploadId: string): Promise<Done> => {
  let at = 0n
  for await (const content of file.content) {
    await clients.statements.uploadStatementPart({ uploadId, at, content })
    at += BigInt(content.length)
  }
  if (at === 0n)
    throw new Refusal('wrong_field', 'The file is empty: export the statement again.', { field: 'file' })
  const shortcode = form.get('shortcode')?.trim() || undefined
  const { statement, alreadyImported, caution } = await clients.statements.importStatement({
    uploadId,
    fileName: file.name,
    shortcode,
  })
  const id = statement?.statementId
  const done = alreadyImported
    ? `This file is statement ${id} already: nothing was changed.`
    : `Statement ${id} is imported.`
  return { goTo: `/statements/${id}`, said: caution === undefined ? done : `${done} ${caution}` }
}
