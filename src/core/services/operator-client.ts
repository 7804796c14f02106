import {
  create,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import type { OperatorClient } from '../../runtime/operator-client.ts'
import type { Actor } from '../audit/record-audit.ts'

/** Does one method of a service for the operator or the service that `actor` is. Throws `Refused`. */
type Answer<Method extends DescMethod, Parts> = (
  parts: Parts,
  request: MessageShape<Method['input']>,
  actor: Actor,
) => Promise<MessageInitShape<Method['output']>>

/**
 * The one implementation of every method of a service, whoever calls: gRPC and Connect, after the token was checked
 * (`operator-access.ts`), and commands at a shell (`createOperatorClient`).
 */
export type OperatorMethods<Service extends DescService, Parts> = {
  readonly [Name in keyof Service['method']]: Answer<Service['method'][Name], Parts>
}

/** Makes a client that calls the methods directly, as `actor`. */
export const createOperatorClient = <Service extends DescService, Parts>(options: {
  service: Service
  methods: OperatorMethods<Service, Parts>
  parts: Parts
  actor: Actor
}): OperatorClient<Service> => {
  const { service, methods, parts, actor } = options
  const calls = service.methods.map((method) => {
    const answer: Answer<DescMethod, Parts> | undefined = methods[method.localName]
    const call = async (request: MessageInitShape<DescMethod['input']>) => {
      if (answer === undefined) throw new Error(`${method.name} is not implemented`)
      return create(method.output, await answer(parts, create(method.input, request), actor))
    }
    return [method.localName, call]
  })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each method of the service, under its own name
  return Object.fromEntries(calls) as OperatorClient<Service>
}
