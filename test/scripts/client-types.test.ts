import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { API_DOCUMENT } from '../../scripts/check/api-document.ts'
import { CLIENT_TYPES, checkClientTypes } from '../../scripts/check/client-types.ts'

const ROOT = join(import.meta.dirname, '..', '..')

it('the types of the client are behind as soon as the document says more', async () => {
  const root = await mkdtemp(join(tmpdir(), 'mpesa-gateway-types-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const path of [API_DOCUMENT, CLIENT_TYPES])
    await cp(join(ROOT, path), join(root, path), { recursive: true })
  expect(await checkClientTypes(root)).toEqual({ kind: 'passed' })
  const document = await readFile(join(root, API_DOCUMENT), 'utf8')
  await writeFile(join(root, API_DOCUMENT), document.replaceAll('"mpesa_receipt"', '"receipt"'))
  expect(await checkClientTypes(root)).toMatchObject({ kind: 'failed' })
})
