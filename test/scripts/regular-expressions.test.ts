import { readdir, readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'
import { expect, it } from 'vitest'
import { attacksOf, findSlow, SHORT } from '../support/linear.ts'

const SOURCES = join(import.meta.dirname, '..', '..', 'src')

/** Expressions that look through text more than once, and why nobody can make them. */
const NOT_LINEAR: Record<string, string> = {
  [String.raw`src/facade/request/read-json-object.ts ("(?:[^"\\]|\\.)*")(\s*:)?|[[\]{}]`]:
    'it reads valid JSON only, in which every string ends',
}

type Expression = { where: string; source: string; flags: string }

/** All expressions that the sources write down. */
const findExpressions = async (): Promise<Expression[]> => {
  const names = await readdir(SOURCES, { recursive: true })
  const files = names.filter((name) => name.endsWith('.ts') && !name.startsWith('gen'))
  const found = await Promise.all(
    files.map(async (file) => {
      const program = parseAst(stripTypeScriptTypes(await readFile(join(SOURCES, file), 'utf8')))
      return expressionsIn(program).map(({ pattern, flags }) => ({
        where: `src/${file}`,
        source: pattern,
        flags,
      }))
    }),
  )
  return found.flat()
}

const expressionsIn = (node: unknown): { pattern: string; flags: string }[] => {
  if (Array.isArray(node)) return node.flatMap(expressionsIn)
  if (typeof node !== 'object' || node === null) return []
  if ('regex' in node && isRegex(node.regex)) return [node.regex]
  return Object.values(node).flatMap(expressionsIn)
}

const isRegex = (value: unknown): value is { pattern: string; flags: string } =>
  typeof value === 'object' && value !== null && 'pattern' in value && 'flags' in value

/** What can lead an expression astray: what it is written with, and what its classes hold. */
const attacksOn = (source: string) => {
  const words = source.match(/[A-Za-z_]{2,}/g) ?? []
  const marks = [...new Set(source.replaceAll(/[A-Za-z0-9]/g, ''))]
  const pumps = [...words, ...marks, 'a', 'A', '0', ' ', '"', '\\"', '\\', ':', '1:', 'a.', '\n']
  return attacksOf({ begins: ['', ...words, '"', '://', '0'], pumps, ends: ['', '!'] })
}

it('every regular expression of the sources takes a time that grows as its text does', async () => {
  const expressions = await findExpressions()
  expect(expressions.length).toBeGreaterThan(100)
  const slow = expressions.flatMap(({ where, source, flags }) => {
    const expression = new RegExp(source, flags.includes('y') ? flags : `${flags.replace('g', '')}g`)
    const found = findSlow(attacksOn(source), (text) => text.replace(expression, ''), SHORT)
    return found === null ? [] : [{ where, source, found }]
  })
  expect(slow.filter(({ where, source }) => NOT_LINEAR[`${where} ${source}`] === undefined)).toEqual([])
  expect(slow.map(({ where, source }) => `${where} ${source}`)).toEqual(Object.keys(NOT_LINEAR))
})
