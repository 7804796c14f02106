import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { API_DOCUMENT, checkApiDocument, lintApiDocument } from '../../scripts/check/api-document.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** The project with a document of its own, changed as asked. */
const projectWith = async (from: string, to: string): Promise<string> => {
  const root = await mkdtemp(join(tmpdir(), 'mpesa-gateway-document-'))
  onTestFinished(() => rm(root, { recursive: true }))
  for (const name of ['src', 'scripts', 'node_modules', 'package.json', 'redocly.yaml'])
    await symlink(join(ROOT, name), join(root, name))
  await mkdir(join(root, 'docs'))
  await cp(join(ROOT, API_DOCUMENT), join(root, API_DOCUMENT))
  const text = await readFile(join(root, API_DOCUMENT), 'utf8')
  expect(text).toContain(from)
  await writeFile(join(root, API_DOCUMENT), text.replace(from, to))
  return root
}

describe('the checks of the OpenAPI document', () => {
  it('pass the document that the routes make', async () => {
    const root = await projectWith('"openapi"', '"openapi"')
    expect(await checkApiDocument(root)).toEqual({ kind: 'passed' })
    expect(await lintApiDocument(root)).toEqual({ kind: 'passed' })
  })

  it('find a document that says something else than the routes', async () => {
    const root = await projectWith('"maximum": 250000', '"maximum": 250001')
    expect(await checkApiDocument(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('npm run generate'),
    })
  })

  it('find what the linter only warns of', async () => {
    const root = await projectWith('"operationId": "requestPayment",', '')
    expect(await lintApiDocument(root)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('operation-operationId'),
    })
  })
})
