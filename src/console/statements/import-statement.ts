import { randomUUID } from 'node:crypto'
import type { SafeHtml } from '@remix-run/html-template'
import { fileForm } from '../page/form.ts'
import { Refusal } from '../refusal.ts'
import type { Done } from '../route.ts'
import type { UploadCall } from '../upload.ts'

export const IMPORT_PATH = '/statements/import'

export const importForm = (): SafeHtml =>
  fileForm({
    action: IMPORT_PATH,
    button: 'Import it',
    fields: [{ name: 'shortcode', label: 'Shortcode', hint: 'Only where the file does not say it.' }],
    label: 'Statement, CSV or XLSX as M-PESA’s portal exports it',
    accept: '.csv,.xlsx',
  })

/** Hands the file over as it comes and imports it; no payment is changed, and the same file again changes nothing. */
export const importStatement = async ({ clients, form, file }: UploadCall): Promise<Done> => {
  const uploadId = randomUUID()
  let at = 0n
  for await (const content of file.content) {
    await clients.statements.uploadStatementPart({ uploadId, at, content })
    at += BigInt(content.length)
  }
  if (at === 0n)
    throw new Refusal('wrong_field', 'The file is empty: export the statement again.', { field: 'file' })
  const shortcode = form.get('shortcode')?.trim() || undefined
  const { statement, alreadyImported } = await clients.statements.importStatement({
    uploadId,
    fileName: file.name,
    shortcode,
  })
  const id = statement?.statementId
  return {
    goTo: `/statements/${id}`,
    said: alreadyImported
      ? `This file is statement ${id} already: nothing was changed.`
      : `Statement ${id} is imported.`,
  }
}
