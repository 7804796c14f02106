import { create, type MessageShape } from '@bufbuild/protobuf'
import { Command } from 'commander'
import { situationRow } from '../console/now/situation-row.ts'
import { toSituationMessage } from '../core/services/overview-methods.ts'
import { isOutage } from '../database/outage.ts'
import { GetSituationResponseSchema, Severity } from '../gen/mpesa/gateway/v1/overview_pb.js'
import { useOverview } from './call-service.ts'
import type { Environment } from './environment.ts'
import type { JsonOption } from './options.ts'
import { print } from './output.ts'
import { tellOutageHere } from './situation-here.ts'

type Situation = MessageShape<typeof GetSituationResponseSchema>

/** `status`: what is wrong just now, in sentences. */
export const statusCommand = (environment: Environment): Command =>
  new Command('status')
    .description('what is wrong just now, in sentences, the worst first, and what mends each')
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing is wrong, or nothing that cannot wait; 1 somebody is to act, or the database is away; 2 called or set up wrongly.',
    )
    .action(async (options: JsonOption) => {
      const situation = await readSituation(environment)
      print(options, situationRow(situation), situation.sentences.flatMap(toLines))
      const isToAct = situation.sentences.some(({ severity }) => severity >= Severity.ACT)
      if (isToAct) process.exitCode = 1
    })

const readSituation = async (environment: Environment): Promise<Situation> => {
  try {
    return await useOverview(environment, (overview) => overview.getSituation({}))
  } catch (error) {
    if (!isOutage(error)) throw error
    return create(GetSituationResponseSchema, toSituationMessage(await tellOutageHere(environment, error)))
  }
}

/** As wide as the longest. */
const WIDTH = 8

const toLines = ({ severity, text, command }: Situation['sentences'][number]): string[] => [
  `${(Severity[severity] ?? '').toLowerCase().padEnd(WIDTH)}${text}`,
  ...(command === undefined ? [] : [`${' '.repeat(WIDTH)}${command}`]),
]
