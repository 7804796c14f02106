import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { loadCommands } from '../../src/cli/gateway.ts'
import { SCOPES } from '../../src/values/scope.ts'

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'runbooks')

const SHELL = /```sh\n([\s\S]*?)```/g

const NAMES = await readdir(FOLDER)
const PAGES = await Promise.all(
  NAMES.map(async (name) => ({ name, text: await readFile(join(FOLDER, name), 'utf8') })),
)

/** Every line of a block that a runbook shows, with its page. */
const LINES = PAGES.flatMap(({ name, text }) =>
  [...text.matchAll(SHELL)].flatMap(([, block = '']) =>
    block.split('\n').map((line): [page: string, line: string] => [name, line]),
  ),
)

/** Those that begin with `gateway`. */
const COMMANDS = LINES.filter(([, line]) => line.startsWith('gateway '))

/** Commands in a sentence, which may lack what they are done to. */
const MENTIONED = PAGES.flatMap(({ name, text }) =>
  [...text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/`(gateway [^`]+)`/g)].map(
    ([, line = '']): [page: string, line: string] => [name, line.replaceAll(/\s+/g, ' ')],
  ),
)

/** Its words as a shell has them: what stands in quotation marks is one. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

/** Commands that list, with others below them that change what is listed. */
const LISTS = new Set(['findings', 'exceptions'])

/** Why a command would be refused for its words alone; null: it would not. */
const problemOf = async (line: string): Promise<string | null> => {
  const [name = '', ...rest] = wordsOf(line).slice(1)
  const [top] = await loadCommands(name, {})
  if (top?.name() !== name) return `there is no command ${name}`
  let command: Command = top
  while (command.commands.length > 0) {
    if (LISTS.has(command.name()) && (rest[0] ?? '--').startsWith('--')) {
      // Some list by a command of their own, which need not be named.
      command = command.commands.find((one) => one.name() === 'list') ?? command
      break
    }
    const word = rest.shift() ?? ''
    const next = command.commands.find((one) => one.name() === word)
    if (next === undefined) return `${command.name()} has no command ${word}`
    command = next
  }
  const { operands, unknown } = command.parseOptions(rest)
  if (unknown.length > 0) return `${command.name()} does not know ${unknown.join(' ')}`
  const wanted = command.registeredArguments
  const needed = wanted.filter(({ required }) => required).length
  const most = wanted.some(({ variadic }) => variadic) ? Number.POSITIVE_INFINITY : wanted.length
  return operands.length >= needed && operands.length <= most ? null : `${operands.length} words are wrong`
}

it('names scopes that a token can have', () => {
  const named = PAGES.flatMap(({ text }) => [...text.matchAll(/`([a-z]+:[a-z]+)`/g)].map(([, name]) => name))
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((name) => !SCOPES.some((scope) => scope === name))).toEqual([])
})

describe('a command that a runbook shows', () => {
  it('has words that the gateway knows', async () => {
    expect(COMMANDS.length).toBeGreaterThan(30)
    const problems = await Promise.all(
      COMMANDS.map(async ([page, line]) => [page, line, await problemOf(line)] as const),
    )
    expect(problems.filter(([, , problem]) => problem !== null)).toEqual([])
  })

  it('is known too where a sentence names it, perhaps without what it is done to', async () => {
    expect(MENTIONED.length).toBeGreaterThan(10)
    const problems = await Promise.all(
      MENTIONED.map(async ([page, line]) => [page, line, await problemOf(line)] as const),
    )
    expect(problems.filter(([, , problem]) => problem !== null && problem !== '0 words are wrong')).toEqual(
      [],
    )
  })

  it('names units that are deployed', async () => {
    const units = (await readdir(join(FOLDER, '..', '..', 'deploy', 'systemd'))).map((name) =>
      name.replace(/@?\.service$/, (end) => (end.startsWith('@') ? '@*' : '')),
    )
    const named = LINES.flatMap(([page, line]) =>
      [...line.matchAll(/(?:systemctl \S+|journalctl -u) '?(mpesa-gateway-[^\s']+)/g)].map(
        ([, unit = '']) => `${page} ${unit}`,
      ),
    )
    expect(named.length).toBeGreaterThan(5)
    const known = new Set([...units, 'mpesa-gateway-*'])
    expect(named.filter((one) => !known.has(one.split(' ')[1] ?? ''))).toEqual([])
  })

  it('is typed on a machine with systemd in the place, and with the settings, that the units have', async () => {
    const root = join(FOLDER, '..', '..')
    const unit = await readFile(join(root, 'deploy', 'systemd', 'mpesa-gateway-serve@.service'), 'utf8')
    const of = (name: string): string => new RegExp(`^${name}=(.+)$`, 'm').exec(unit)?.[1] ?? `no ${name}`
    const words = [
      `--uid=${of('User')}`,
      `--working-directory=${of('WorkingDirectory')}`,
      `--property=EnvironmentFile=${of('EnvironmentFile')}`,
      `--setenv=${of('Environment')}`,
      of('ExecStart').split(' ')[0] ?? '',
      of('ExecStart')
        .split(' ')[1]
        ?.replace(`${of('WorkingDirectory')}/`, '') ?? '',
    ]
    for (const page of [join(FOLDER, 'README.md'), join(root, 'docs', 'deploy.md')]) {
      const [, typed = ''] =
        /(sudo systemd-run (?:[^\n]*\\\n)*[^\n]*)/.exec(await readFile(page, 'utf8')) ?? []
      const given = new Set(typed.split(/[\s\\]+/))
      expect([page, words.filter((word) => !given.has(word))]).toEqual([page, []])
    }
  })

  it.each([
    ['gateway deliveries prob --partner 7', 'deliveries has no command prob'],
    ['gateway deliveries probe --partnr 7', 'probe does not know --partnr 7'],
    ['gateway payments show', '0 words are wrong'],
  ])('%s: is refused', async (line, problem) => {
    expect(await problemOf(line)).toBe(problem)
  })
})
