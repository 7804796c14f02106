import type { z } from 'zod'
import type { Setting } from './settings/setting.ts'
import { SETTINGS, type SettingName } from './settings.ts'

type ValueOf<Name extends SettingName> = (typeof SETTINGS)[Name] extends { default: null }
  ? z.output<(typeof SETTINGS)[Name]['parse']> | null
  : z.output<(typeof SETTINGS)[Name]['parse']>

/** The settings that a command asked for, parsed. */
export type Config<Name extends SettingName> = { readonly [Key in Name]: ValueOf<Key> }

/** Thrown when settings are missing or wrong: one line for each, naming the variable and what would be right. */
export class BadSettings extends Error {
  override name = 'BadSettings'
}

/**
 * The text of a variable without the blanks around it: files of variables with another machine's ends of lines leave a
 * carriage return behind each. An empty one is how shells and compose files say "not set".
 */
const textOf = (given: string | undefined): string => (given ?? '').trim()

const readSetting = (
  name: SettingName,
  given: string | undefined,
): { value: unknown } | { problem: string } => {
  const setting: Setting<unknown> = SETTINGS[name]
  const text = textOf(given) === '' ? setting.default : textOf(given)
  if (text === undefined) return { problem: `${name} is required: ${setting.help}` }
  if (text === null) return { value: null }
  const parsed = setting.parse.safeParse(text)
  if (parsed.success) return { value: parsed.data }
  const shown = setting.secret === true ? '' : `, not ${JSON.stringify(text)}`
  return { problem: `${name} ${parsed.error.issues[0]?.message ?? 'is not valid'}${shown}` }
}

/**
 * Reads the named settings from an environment. Throws `BadSettings` with every problem at once, so that one run of a
 * misconfigured process reports every setting to correct; a secret's value is never part of a message.
 */
export const readConfig = <Name extends SettingName>(
  environment: Record<string, string | undefined>,
  names: readonly Name[],
): Config<Name> => {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const name of names) {
    const read = readSetting(name, environment[name])
    if ('problem' in read) problems.push(read.problem)
    else values[name] = read.value
  }
  if (problems.length > 0) throw new BadSettings(problems.join('\n'))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every name was read by its own parser just above
  return values as Config<Name>
}

/**
 * Names of settings, under the names that the code has for their values: `{ daraja: { baseUrl: 'DARAJA_BASE_URL' } }`.
 */
export type SettingTree = { readonly [key: string]: SettingName | SettingTree }

/** The values of a tree of settings, under the same names. */
export type ConfigTree<Tree> = {
  readonly [Key in keyof Tree]: Tree[Key] extends SettingName ? ValueOf<Tree[Key]> : ConfigTree<Tree[Key]>
}

/** Every setting that a tree names, in its order. */
export const namesIn = (tree: SettingTree): SettingName[] =>
  Object.values(tree).flatMap((branch) => (typeof branch === 'string' ? [branch] : namesIn(branch)))

/** Reads a tree of settings from an environment. Throws as `readConfig` does. */
export const readConfigTree = <const Tree extends SettingTree>(
  environment: Record<string, string | undefined>,
  tree: Tree,
): ConfigTree<Tree> => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the values stand where their names stood
  return fill(tree, readConfig(environment, namesIn(tree))) as ConfigTree<Tree>
}

const fill = (tree: SettingTree, values: Config<SettingName>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(tree).map(([key, branch]) => [
      key,
      typeof branch === 'string' ? values[branch] : fill(branch, values),
    ]),
  )

/** The secrets that an environment holds, for the log to mask: of a URL, the user and the password. */
export const secretsOf = (environment: Record<string, string | undefined>): string[] =>
  Object.entries<Setting<unknown>>(SETTINGS)
    .filter(([, setting]) => setting.secret === true)
    .flatMap(([name]) => partsOf(textOf(environment[name])))

const partsOf = (text: string): string[] =>
  text.includes('://')
    ? [...text.matchAll(/:\/\/([^/?#]*)@/g)].flatMap(([, credentials = '']) => credentials.split(':'))
    : [text]

/** Whether a name is that of a setting whose value may be shown. */
export const isPublicSetting = (name: string): boolean => {
  const found = Object.entries<Setting<unknown>>(SETTINGS).find(([one]) => one === name)
  return found !== undefined && found[1].secret !== true
}
