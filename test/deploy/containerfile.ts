/** One line of a Containerfile: its instruction, in capitals, and what follows. */
export type Step = { word: string; rest: string }

/** What is built from one base: its name where it has one, and its steps in their order. */
export type Stage = { name: string | null; steps: Step[] }

/** The stages of a Containerfile; what stands before the first is left out. */
export const parseContainerfile = (text: string): Stage[] => {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const stages: Stage[] = []
  for (const line of lines) {
    const [, word = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? []
    if (word === 'FROM') stages.push({ name: / AS (\w+)$/i.exec(rest)?.[1] ?? null, steps: [] })
    else stages.at(-1)?.steps.push({ word, rest })
  }
  return stages
}

/** Its words where it is written as a list, `["node", "main.ts"]`; else what a shell is to read. */
export const commandOf = (rest: string): string[] =>
  rest.startsWith('[') ? readList(rest) : ['/bin/sh', '-c', rest]

const readList = (text: string): string[] => {
  const list: unknown = JSON.parse(text)
  return Array.isArray(list) ? list.map(String) : []
}

/** The command of a HEALTHCHECK. */
export const healthCommandOf = (rest: string): string[] => commandOf(rest.replace(/^.*?\bCMD\s+/, ''))

/** The variables of an ENV. */
export const variablesOf = (rest: string): Record<string, string> =>
  Object.fromEntries([...rest.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]))
