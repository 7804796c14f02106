import { eventually } from '../support/eventually.ts'
import { portsOf } from './play-night.ts'
import { markedCommands } from './runbook.ts'
import type { Stage } from './stage.ts'

/** Takes the push, prompts, and answers with a page that says nothing. */
const UNKNOWN_ANSWER = '254700000252'

/** A payment of which nobody knows whether its payer was prompted, and whose callback is lost. */
const addUnconfirmed = async (stage: Stage): Promise<number> => {
  const { database, world } = stage.gateway
  stage.publicWay.block()
  const [id = 0] = await stage.pay({ url: `${world.receiver.url}/paid`, phone: UNKNOWN_ANSWER })
  await eventually(async () => {
    const { state } = await database
      .selectFrom('payments')
      .select('state')
      .where('id', '=', BigInt(id))
      .executeTakeFirstOrThrow()
    const [prompt] = (await world.prompts()).slice(-1)
    if (state !== 'unconfirmed' || prompt?.callbacks.length === 0) throw new Error(`it is ${state}`)
  })
  stage.publicWay.open()
  return id
}

/**
 * Types every marked command of the runbooks, with what is here in the place of their examples; but for those that were
 * typed already. Resolves with each and what it printed.
 */
export const typeMarkedCommands = async (stage: Stage, before: string): Promise<string[]> => {
  const { shell } = stage
  const unconfirmed = await addUnconfirmed(stage)
  await shell.type('gateway tokens create --name night --scope deliveries:manage')
  await shell.type('gateway operators create --name wanjiku --role mend')
  await shell.type('gateway deliveries pause --partner 1 --host shop.co.ke')
  const there = (command: string): string =>
    Object.entries(portsOf(stage))
      .reduce((text, [usual, own]) => text.replaceAll(usual, own), command)
      .replaceAll(/(partner|list|create|set|disable|rotate) 7\b/g, '$1 1')
      .replaceAll('revoke 12', 'revoke 1')
      .replaceAll('revoke 3', 'revoke 1')
      .replaceAll(/(show|settle) 18/g, `$1 ${unconfirmed}`)
      .replaceAll(/(show|settle|--payment) 17/g, `$1 1`)
  const typed: string[] = []
  for (const command of await markedCommands()) {
    const own = there(command)
    if (!wasTyped(before, command)) typed.push(`$ ${own}\n${await shell.type(own)}`)
  }
  return typed
}

/** The words before the first example: what a night has typed was typed with its own ids and hosts. */
const wasTyped = (before: string, command: string): boolean => {
  const [words = ''] = command.split(/ (?:--partner )?(?:7|12|17|18)\b| http:/)
  return words.split(' ').length > 2 && before.includes(`$ ${words} `)
}
