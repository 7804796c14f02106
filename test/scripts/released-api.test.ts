import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkReleasedApi, compareDocuments } from '../../scripts/check/released-api.ts'

const ROOT = join(import.meta.dirname, '..', '..')

const released = await readFile(join(ROOT, 'docs', 'openapi.json'), 'utf8')

type Json = { [key: string]: Json }

/** Two documents: the one of the project, and the same after a change. */
const compareAfter = (change: (document: Json) => void) => {
  const document = JSON.parse(released)
  change(document)
  return compareDocuments(ROOT, released, JSON.stringify(document))
}

const LIST = '/api/v1/mpesa/transactions'
const PUSH = '/api/v1/mpesa/stk_push'

const parametersOf = (document: Json): Json[] => {
  const parameters: unknown = document['paths']?.[LIST]?.['get']?.['parameters']
  return Array.isArray(parameters) ? parameters : []
}

const schemaOf = (document: Json, name: string): Json => document['components']?.['schemas']?.[name] ?? {}

/** As a program sees it that was written for the document before. */
const BREAKING: Record<string, (document: Json) => void> = {
  'a path is gone': (document) => delete document['paths']?.[LIST],
  'a parameter is gone': (document) => parametersOf(document).shift(),
  'a parameter has another name': (document) =>
    Object.assign(parametersOf(document)[1] ?? {}, { name: 'max' }),
  'a parameter must be given': (document) =>
    Object.assign(parametersOf(document)[1] ?? {}, { required: true }),
  'a field of a request must be given': (document) =>
    Object.assign(schemaOf(document, 'StkPushRequest'), {
      required: ['phone', 'amount', 'callback_url', 'reference'],
    }),
  'a field of a request takes less': (document) =>
    Object.assign(schemaOf(document, 'StkPushRequest')['properties']?.['amount'] ?? {}, { maximum: 1000 }),
  'a field of an answer is gone': (document) =>
    delete schemaOf(document, 'Transaction')['properties']?.['phone'],
  'a field of an answer has another type': (document) =>
    Object.assign(schemaOf(document, 'Transaction')['properties']?.['amount'] ?? {}, { type: 'string' }),
  'an answer is gone': (document) => delete document['paths']?.[PUSH]?.['post']?.['responses']?.['200'],
}

const HARMLESS: Record<string, (document: Json) => void> = {
  'nothing changes': () => undefined,
  'words change': (document) => {
    for (const parameter of parametersOf(document)) Object.assign(parameter, { description: 'Other words.' })
  },
  'a parameter comes that may be left out': (document) =>
    parametersOf(document).push(JSON.parse('{"name":"more","in":"query","schema":{"type":"string"}}')),
  'a field comes in an answer': (document) =>
    Object.assign(schemaOf(document, 'Transaction')['properties'] ?? {}, { more: { type: 'string' } }),
  'a path comes': (document) =>
    Object.assign(document['paths'] ?? {}, { '/api/v1/more': document['paths']?.[LIST] }),
}

describe('the check of the OpenAPI document against the last release', () => {
  it.each(Object.entries(BREAKING))('fails when %s', async (_, change) => {
    expect(await compareAfter(change)).toMatchObject({
      kind: 'failed',
      output: expect.stringContaining('major'),
    })
  })

  it.each(Object.entries(HARMLESS))('passes when %s', async (_, change) => {
    expect(await compareAfter(change)).toEqual({ kind: 'passed' })
  })

  it('passes the document as it is', async () => {
    expect((await checkReleasedApi(ROOT)).kind).toMatch(/^(?:passed|skipped)$/)
  })
})
