import { text as readAll } from 'node:stream/consumers'
import { Command } from 'commander'
import { type Operator, OperatorSchema } from '../gen/mpesa/gateway/v1/operators_pb.js'
import { readConfig } from '../runtime/config.ts'
import { urlHere } from '../runtime/listen.ts'
import { toRow } from '../runtime/message-row.ts'
import { OPERATOR_ROLES } from '../values/operator-role.ts'
import { useOperators } from './call-service.ts'
import { withRunningDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { type ByOptions, byOption, type JsonOption } from './options.ts'
import { CommandError, print, printOnce, printRows } from './output.ts'

type CreateOptions = ByOptions & { name: string; role: string; password?: true }

const ROLES = OPERATOR_ROLES.join(', ')

/** `operators …`: who may use the console. */
export const operatorsCommand = (environment: Environment): Command => {
  const operators = new Command('operators').description(
    'create, list and change the operators of the console',
  )
  addCreate(environment, operators)
  operators
    .command('list')
    .description('list the operators, oldest first')
    .action(async (options: JsonOption) => {
      const rows = (await findAll(environment)).map((operator) => toRow(OperatorSchema, operator))
      const none = 'There are no operators yet: gateway operators create --name NAME --role ROLE'
      printRows(options, rows, { none })
    })
  operators
    .command('link')
    .argument('<name>', 'the operator’s name')
    .description('make a link that signs the operator in once, within an hour')
    .addOption(byOption())
    .action(async (name: string, options: ByOptions) => {
      const base = await readConsoleUrl(environment)
      const { operatorId } = await findByName(environment, name)
      const { signInCode } = await useOperators(environment, options.by, (service) =>
        service.createSignInLink({ operatorId }),
      )
      await showLink(options, { base, name, operatorId, code: signInCode })
    })
  addChange(environment, operators, {
    name: 'disable',
    description: 'sign an operator out everywhere and let nobody in by this name',
    done: 'is disabled and signed out',
    change: (service, operatorId) => service.disableOperator({ operatorId }),
  })
  addChange(environment, operators, {
    name: 'enable',
    description: 'let an operator in again that was disabled',
    done: 'may sign in again',
    change: (service, operatorId) => service.enableOperator({ operatorId }),
  })
  operators
    .command('set')
    .argument('<name>', 'the operator’s name')
    .description('give an operator another role; it has to sign in again')
    .requiredOption('--role <role>', `what it may do: ${ROLES}`)
    .addOption(byOption())
    .action(async (name: string, options: ByOptions & { role: string }) => {
      const { operatorId } = await findByName(environment, name)
      const { role } = options
      await useOperators(environment, options.by, (service) => service.setOperatorRole({ operatorId, role }))
      print(options, { operator_id: operatorId, name, role }, `${name} has the role ${role} from now on.`)
    })
  return operators
}

const addCreate = (environment: Environment, operators: Command): void => {
  operators
    .command('create')
    .description('create an operator; prints a link that signs in once')
    .requiredOption('--name <name>', 'by which the operator signs in and stands in the audit log')
    .requiredOption('--role <role>', `what it may do, each more than the one before: ${ROLES}`)
    .option('--password', 'read a password from standard input in the place of a link')
    .addOption(byOption())
    .addHelpText('after', '\nExample:\n  gateway operators create --name wanjiku --role money')
    .action(async (options: CreateOptions) => {
      const { name, role } = options
      const base = await readConsoleUrl(environment)
      const password = options.password === true ? await readPassword() : undefined
      const { operatorId, signInCode } = await useOperators(environment, options.by, (service) =>
        service.createOperator({ name, role, password }),
      )
      if (signInCode === undefined) {
        print(options, { operator_id: operatorId, name, role }, `${name} may sign in, with the role ${role}.`)
        return
      }
      await showLink(options, { base, name, operatorId, code: signInCode })
    })
}

type Service = Parameters<Parameters<typeof useOperators>[2]>[0]

const addChange = (
  environment: Environment,
  operators: Command,
  command: {
    name: string
    description: string
    done: string
    change: (service: Service, operatorId: bigint) => Promise<unknown>
  },
): void => {
  operators
    .command(command.name)
    .argument('<name>', 'the operator’s name')
    .description(command.description)
    .addOption(byOption())
    .action(async (name: string, options: ByOptions) => {
      const { operatorId } = await findByName(environment, name)
      await useOperators(environment, options.by, (service) => command.change(service, operatorId))
      print(options, { operator_id: operatorId, name }, `${name} ${command.done}.`)
    })
}

/** One line, without its end. */
const readPassword = async (): Promise<string> => {
  if (process.stdin.isTTY) process.stderr.write('The password, then Enter and Ctrl-D:\n')
  return (await readAll(process.stdin)).replace(/\r?\n$/, '')
}

/** The console's address. Read before anything is made whose link could not be shown. */
const readConsoleUrl = async (environment: Environment): Promise<string> => {
  const config = readConfig(await withRunningDatabase(environment), [
    'CONSOLE_URL',
    'CONSOLE_HOST',
    'CONSOLE_PORT',
  ])
  return config.CONSOLE_URL ?? urlHere(config.CONSOLE_HOST, config.CONSOLE_PORT)
}

/** Prints the link of a code, at the console's address. */
const showLink = async (
  options: JsonOption,
  link: { base: string; name: string; operatorId: bigint; code: string },
): Promise<void> => {
  const { base, name, operatorId, code } = link
  const url = `${base}/sign-in/link#${code}`
  await printOnce(options, {
    value: { operator_id: operatorId, name, sign_in_url: url },
    lines: [`${name} signs in by this link, once and within an hour:`, url],
    lost: `the link of ${name} was made, but not shown: gateway operators link ${name} makes another`,
  })
}

const findByName = async (environment: Environment, name: string): Promise<Operator> => {
  const found = (await findAll(environment)).find((operator) => operator.name === name)
  if (found === undefined) throw new CommandError(`there is no operator ${name}: see gateway operators list`)
  return found
}

const findAll = (environment: Environment): Promise<Operator[]> =>
  useOperators(environment, undefined, async (service) => {
    const all: Operator[] = []
    let after: bigint | undefined
    do {
      const page = await service.listOperators({ pageSize: 1000, after })
      all.push(...page.operators)
      after = page.nextAfter
    } while (after !== undefined)
    return all
  })
